"""A whole clinic with its real processes, and a clock that all of them share: weeks pass in a minute.

Each of the people has a browser; what they do is done on pages. The interface is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from clinic.models import Role
from tests import browser
from tests.clinic.local.test_run import Clinic, free_port
from tests.journeys.desk import DESKTOP, complains
from tests.journeys.test_mail_journey import open_clinic

MINUTE = timedelta(minutes=1)
#: Noon of a Monday in winter where the demonstration opens; the clocks change within the next three months.
NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)

CALM = {"systolic": "124", "diastolic": "78", "heart_rate": "70", "spo2": "98", "sedation": "5", "dissociation": "0"}
#: Whatever a screening asks about, the answer is no.
QUESTIONS = (
    *("pressure", "liver", "stroke", "heart", "bleed", "aneurysm", "malformation"),
    *("vessels", "drug_allergy", "pregnancy", "psychosis", "substance_use"),
)


class Person:
    """Somebody of the demonstration who is signed in."""

    def __init__(self, clinic: Clinic, chromium: Browser, role: Role) -> None:
        (login,) = [line.split() for line in clinic.lines if line.startswith(f"login {role} ")]
        self.user, self.password = login[2:]
        size = {"width": DESKTOP[0], "height": DESKTOP[1]}
        context = chromium.new_context(base_url=f"http://localhost:{clinic.port}", viewport=size)  # type: ignore[arg-type]  # width and height
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda line: self.complaints.append(line.text) if _counts(line.text) else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto("/")
        self.page.get_by_label("User name").fill(self.user)
        self.page.get_by_label("Password", exact=True).fill(self.password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("navigation", name="Main")).to_be_visible()

    def read(self, path: str) -> Any:
        """What the interface says, by this person's session."""
        answer = self.page.request.get(f"/api/v1/{path}")
        assert answer.ok, (path, answer.status)
        return answer.json()

    def fill(self, fields: Mapping[str, str]) -> None:
        """Type into fields by their names, choose in lists, tick buttons and boxes."""
        for name, value in fields.items():
            field = self.page.locator(f'main [name="{name}"]').first
            if field.get_attribute("type") in ("radio", "checkbox"):
                self.page.locator(f'main [name="{name}"][value="{value}"]').check(force=True)
            elif field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    def press(self, button: str) -> None:
        """Press a button of the page, and wait for what comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("main").get_by_role("button", name=button).last.click()
        assert self.page.locator("main .error, main .notice.red").all_inner_texts() == []


class Weeks:
    """A clinic whose clock the test moves, with a nurse, a clinician and somebody at the desk."""

    def __init__(self, clinic: Clinic, chromium: Browser, clock: Path) -> None:
        self.clock = clock
        self.desk, self.nurse, self.clinician = (
            Person(clinic, chromium, role) for role in (Role.DESK, Role.NURSE, Role.CLINICIAN)
        )

    def it_is(self, at: datetime) -> None:
        """All processes agree that it is this moment."""
        set_clock(self.clock, at)

    # What people do

    def register(self, first_name: str, last_name: str, born: str = "1979-04-11") -> int:
        """The desk registers somebody; returns the patient's id."""
        self.desk.page.goto("/patients/new/")
        self.desk.fill(
            {
                "first_name": first_name,
                "last_name": last_name,
                "birth_date": born,
                "phone": "(555) 010-9911",
                "email": f"{last_name.lower()}@example.org",
                "mail_consent": "neutral",
            }
        )
        self.desk.press("Register")
        return int(self.desk.page.url.rstrip("/").split("/")[-1])

    def screen(self, patient: int, today: date) -> None:
        """A clinician screens and accepts."""
        page = self.clinician.page
        page.goto(f"/patients/{patient}/screening/")
        trials = (("sertraline", "150 mg", "10"), ("venlafaxine", "225 mg", "8"))
        for row, (drug, dose, weeks) in enumerate(trials):
            told = {"drug": drug, "dose": dose, "weeks": weeks, "adequate": "yes", "outcome": "failed"}
            self.clinician.fill({f"trials-{row}-{name}": value for name, value in told.items()})
        heard = {
            f"{role}_{name}": value
            for role in ("doctor", "therapist", "psychologist")
            for name, value in (("name", "Dana Ruiz"), ("on", today.isoformat()), ("note", "A good candidate."))
        }
        papers = dict.fromkeys(("treatment_consent", "off_label_consent", "rems_enrolled"), today.isoformat())
        self.clinician.fill(
            {"therapies-0-kind": "one-to-one", **dict.fromkeys(QUESTIONS, "no"), **heard, **papers}
            | {"severity": "severe", "medicines": "Bupropion 150 mg", "decision": "accepted"}
        )
        self.clinician.press("Save screening")

    def book(self, patient: int, protocol: str = "") -> list[dict[str, Any]]:
        """The desk books a whole course as it is proposed; returns its sessions."""
        page = self.desk.page
        page.goto(f"/patients/{patient}/course/new/")
        if protocol:
            with page.expect_response(lambda answer: answer.request.method == "POST"):
                page.locator('main [name="protocol"]').select_option(label=protocol)
            page.wait_for_load_state("networkidle")
        with page.expect_navigation():
            page.locator("#book").click()
        return self.sessions(patient)

    def sessions(self, patient: int) -> list[dict[str, Any]]:
        """The patient's sessions in order of time, those that stand."""
        courses = self.desk.read(f"courses/?patient={patient}")["results"]
        found = [session for course in courses for session in course["sessions"] if session["state"] != "cancelled"]
        return sorted(found, key=lambda session: datetime.fromisoformat(session["starts_at"]))

    def score(self, patient: int, answers: Sequence[int]) -> None:
        """A nurse writes down the nine answers of a PHQ-9."""
        self.nurse.page.goto(f"/patients/{patient}/scores/new/")
        self.nurse.fill({f"item_{number}": str(value) for number, value in enumerate(answers, start=1)})
        self.nurse.press("Save the score")

    def visit(self, session: dict[str, Any], patient: int, answers: Sequence[int] | None, *, mg: str = "") -> None:
        """A whole visit, each step at its planned time: arrival, score, vitals, dose, monitoring, discharge."""
        starts = {phase["phase"]: datetime.fromisoformat(phase["starts_at"]) for phase in session["phases"]}
        self.it_is(starts["prepare"])
        self.act(
            session,
            "check-in",
            "Check in",
            {f"new_{question}": "no" for question in ("pressure", "liver", "stroke", "heart")}
            | {"weight_kg": "70", "escort_name": "Sister", "escort_phone": "(555) 010-0140"},
        )
        if answers is not None:
            self.score(patient, answers)
        self.it_is(starts["prepare"] + 10 * MINUTE)
        self.act(session, "vitals", "Save round", CALM)
        self.it_is(starts["give"])
        self.act(session, "dose", "Begin the dose", {"lot": "K-17", **({"mg": mg} if mg else {})}, second=True)
        self.it_is(starts["monitor"])
        self.act(session, "finish", "Dose ended", {})
        self.it_is(starts["monitor"] + 121 * MINUTE)
        self.act(session, "vitals", "Save round", CALM)
        self.act(session, "discharge", "Discharge", {}, second=True)

    def act(
        self, session: dict[str, Any], name: str, button: str, fields: Mapping[str, str], *, second: bool = False
    ) -> None:
        """A nurse fills in the form of a step and presses its button; where two sign, the clinician does too."""
        self.nurse.page.goto(f"/sessions/{session['id']}/visit/{name}/")
        self.nurse.fill(fields)
        for box in self.nurse.page.locator('main [name="checklist"]').all():
            box.check()
        if second:
            signers = self.nurse.page.locator('main [name="second-second"]')
            (name,) = [text for text in signers.locator("option").all_inner_texts() if "Okonkwo" in text]
            signers.select_option(label=name)
            self.nurse.page.locator('main [name="second-password"]').fill(self.clinician.password)
        self.nurse.press(button)

    def forms_wait(self, patient: int) -> int:
        """How many monitoring forms of the patient's visits are still to be sent, as the worklist says."""
        count: int = self.nurse.read(f"worklist/?kind=open-form&patient={patient}")["count"]
        return count

    def decide(self, course: int, decision: str, reason: str, button: str) -> None:
        """A clinician chooses a decision and a reason and records it: three clicks."""
        page = self.clinician.page
        page.goto(f"/courses/{course}/")
        page.get_by_text(decision, exact=True).first.click()
        page.get_by_text(reason, exact=True).click()
        with page.expect_navigation():
            page.get_by_role("button", name=button).click()

    def complaints(self) -> list[str]:
        """Whatever a browser complained about."""
        return [*self.desk.complaints, *self.nurse.complaints, *self.clinician.complaints]


def _counts(text: str) -> bool:
    """Whether a line of the console is a complaint; what htmx gives up for something newer is none."""
    return complains(text) and not text.startswith("htmx:")


def set_clock(path: Path, at: datetime) -> None:
    """Move the clock that the file stands for."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(str((at - datetime.now(UTC)).total_seconds()))
    fresh.replace(path)


@contextmanager
def weeks(var: Path) -> Iterator[Weeks]:
    """The demonstration's clinic at NOON, opened for a journey."""
    clock = var.parent / f"{var.name}-clock"
    set_clock(clock, NOON)
    with (
        open_clinic(var, free_port(), CLINIC_CLOCK_FILE=str(clock)) as clinic,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser.executable(), args=list(browser.OPTIONS)) as chromium,
    ):
        yield Weeks(clinic, chromium, clock)
