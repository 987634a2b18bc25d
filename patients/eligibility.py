"""Who may be treated: the rules of protocol.md part 2 over the answers of a screening. Pure: imports no Django.

`baseline`, the last code of that part, needs scores and the day of the dose; it is judged when a visit starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from clinic.findings import Finding, Level, by_severity, gettext_noop
from patients.answers import Answers, Decision, StrokeKind, Trial, antidepressant, names_of_antidepressants

#: Failed antidepressants that make a depression treatment-resistant (D).
FAILED_TRIALS = 2

#: The codes judged here, each with its level.
RULES: Mapping[str, Level] = {
    "not-screened": Level.BLOCK,
    "first-line": Level.OVERRIDE,
    "two-failed": Level.OVERRIDE,
    "sign-offs": Level.OVERRIDE,
    "consent": Level.BLOCK,
    "rems": Level.BLOCK,
    "alone": Level.WARN,
    "bleed": Level.BLOCK,
    "vessels": Level.OVERRIDE,
    "pressure": Level.OVERRIDE,
    "stroke": Level.OVERRIDE,
    "tell-us": Level.WARN,
    "unanswered": Level.BLOCK,
    "also-asked": Level.OVERRIDE,
}

#: Those that nobody passes over; times can be held while they stand.
BLOCKS = frozenset(rule for rule, level in RULES.items() if level is Level.BLOCK)


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the history: what it asks, and what is said when it is open and when the answer is yes."""

    rule: str
    asks: str
    unanswered: str
    yes: str


#: The history, in the order in which it is asked. The first four are asked again at every visit.
QUESTIONS: Mapping[str, Question] = {
    "pressure": Question(
        "pressure",
        gettext_noop("High blood pressure, now or ever"),
        gettext_noop("It is not answered whether there is a history of high blood pressure."),
        gettext_noop("There is a history of high blood pressure."),
    ),
    "liver": Question(
        "tell-us",
        gettext_noop("Liver disease"),
        gettext_noop("It is not answered whether there is a liver disease."),
        gettext_noop("There is a liver disease; a clinician has to look at it."),
    ),
    "stroke": Question(
        "stroke",
        gettext_noop("Stroke"),
        gettext_noop("It is not answered whether there was a stroke."),
        gettext_noop("There was a stroke."),
    ),
    "heart": Question(
        "tell-us",
        gettext_noop("Heart attack"),
        gettext_noop("It is not answered whether there was a heart attack."),
        gettext_noop("There was a heart attack; a clinician has to look at it."),
    ),
    "bleed": Question(
        "bleed",
        gettext_noop("Bleeding in the brain"),
        gettext_noop("It is not answered whether there was a bleeding in the brain."),
        gettext_noop("There was a bleeding in the brain: ketamine cannot be given."),
    ),
    "aneurysm": Question(
        "bleed",
        gettext_noop("Aneurysm of any vessel"),
        gettext_noop("It is not answered whether there is an aneurysm."),
        gettext_noop("There is aneurysmal vascular disease: ketamine cannot be given."),
    ),
    "malformation": Question(
        "bleed",
        gettext_noop("Arteriovenous malformation"),
        gettext_noop("It is not answered whether there is an arteriovenous malformation."),
        gettext_noop("There is an arteriovenous malformation: ketamine cannot be given."),
    ),
    "vessels": Question(
        "vessels",
        gettext_noop("Another disease of the blood vessels"),
        gettext_noop("It is not answered whether there is another disease of the blood vessels."),
        gettext_noop("There is a disease of the blood vessels."),
    ),
    "drug_allergy": Question(
        "bleed",
        gettext_noop("Allergy to ketamine or esketamine"),
        gettext_noop("It is not answered whether there is an allergy to ketamine or esketamine."),
        gettext_noop("There is an allergy to the drug: it cannot be given."),
    ),
    "pregnancy": Question(
        "also-asked",
        gettext_noop("Pregnancy, or breastfeeding"),
        gettext_noop("It is not answered whether there is a pregnancy."),
        gettext_noop("There is a pregnancy, or a child is breastfed."),
    ),
    "psychosis": Question(
        "also-asked",
        gettext_noop("Psychosis, now or ever"),
        gettext_noop("It is not answered whether there was a psychosis."),
        gettext_noop("There is a history of psychosis."),
    ),
    "substance_use": Question(
        "also-asked",
        gettext_noop("Active substance use"),
        gettext_noop("It is not answered whether substances are used."),
        gettext_noop("Substances are used at present."),
    ),
}

_KIND_UNANSWERED = gettext_noop("It is not answered whether the stroke was a clot or a bleed.")
_KIND_BLEED = gettext_noop("The stroke was a bleeding in the brain: ketamine cannot be given.")

#: Whose word is needed before ketamine is added (D), and what is said without it.
SIGN_OFFS: Mapping[str, str] = {
    "doctor": gettext_noop("The doctor has not been heard: name, date and a note are needed."),
    "therapist": gettext_noop("The therapist has not been heard: name, date and a note are needed."),
    "psychologist": gettext_noop("The psychologist has not been heard: name, date and a note are needed."),
}

_NOT_SCREENED = {
    Decision.OPEN: gettext_noop("The screening is not decided yet."),
    Decision.DECLINED: gettext_noop("The screening has declined the patient."),
    Decision.DEFERRED: gettext_noop("The screening has put the decision off."),
}


def judge(
    answers: Answers | None, decision: str, *, drug: str, today: date, certified: bool = True
) -> tuple[Finding, ...]:
    """Every rule of part 2 but `baseline`, the most severe first; None without a screening.

    `drug`: "ketamine" or "esketamine". `today`: what was signed later does not count. `certified`: the site may give
    esketamine under the REMS. `observed` names the question or the paper that is meant, where it is not a count.
    """
    if answers is None:
        return (_finding("not-screened", gettext_noop("There is no screening yet."), "none"),)
    found = list(_history(answers))
    if decision != Decision.ACCEPTED:
        found.append(_finding("not-screened", _NOT_SCREENED[Decision(decision)], decision or "open"))
    found += _earlier_treatment(answers)
    found += [
        _finding("sign-offs", text, role) for role, text in SIGN_OFFS.items() if not getattr(answers, role).heard(today)
    ]
    found += _papers(answers, drug, today, certified)
    if drug == "esketamine" and not takes_antidepressant(answers):
        text = gettext_noop("No antidepressant is among the current medicines; esketamine is meant beside one.")
        found.append(_finding("alone", text, "medicines"))
    return by_severity(found)


def failed_trials(answers: Answers) -> tuple[Trial, ...]:
    """The evidence of resistance: the last failed trial of each drug. A brand and its generic name are one drug."""
    return tuple({_drug_of(trial): trial for trial in answers.trials if trial.failed}.values())


def _drug_of(trial: Trial) -> str:
    """What tells the drug of a trial from others."""
    known = antidepressant(trial.drug)
    return known.name if known else trial.drug.strip().casefold()


def resistant(answers: Answers | None) -> bool:
    """Whether the depression is treatment-resistant: two antidepressants or more have failed (D)."""
    return answers is not None and len(failed_trials(answers)) >= FAILED_TRIALS


def takes_antidepressant(answers: Answers) -> bool:
    """Whether an antidepressant is among the current medicines: one of the list, or one that was tried."""
    names = {*names_of_antidepressants(), *(trial.drug.strip().casefold() for trial in answers.trials)}
    words = {word.strip(",;.()") for medicine in answers.medicines for word in medicine.casefold().split()}
    return not names.isdisjoint(words)


def _finding(rule: str, text: str, observed: str, limit: str = "", **values: object) -> Finding:
    return Finding(rule, RULES[rule], text, observed=observed, limit=limit, values=values)


def _history(answers: Answers) -> Iterator[Finding]:
    """`unanswered`, and what the answers that are yes mean."""
    for item, question in QUESTIONS.items():
        answer = getattr(answers, item)
        if answer is None:
            yield _finding("unanswered", question.unanswered, item)
        elif item == "stroke" and answer and answers.stroke_kind is StrokeKind.BLEED:
            yield _finding("bleed", _KIND_BLEED, "stroke_kind")
        elif answer:
            yield _finding(question.rule, question.yes, item)
            if item == "stroke" and answers.stroke_kind is None:
                yield _finding("unanswered", _KIND_UNANSWERED, "stroke_kind")


def _earlier_treatment(answers: Answers) -> Iterator[Finding]:
    """`first-line` and `two-failed`."""
    if not answers.trials:
        text = gettext_noop("No antidepressant trial is recorded; ketamine is no first-line treatment.")
        yield _finding("first-line", text, "trials")
    if not answers.therapies:
        text = gettext_noop("No therapy is recorded; ketamine is no first-line treatment.")
        yield _finding("first-line", text, "therapies")
    if not resistant(answers):
        count = len(failed_trials(answers))
        yield _finding(
            "two-failed",
            gettext_noop("Antidepressants that have failed at an adequate dose and length: %(count)s of %(least)s."),
            f"{count} failed",
            f"{FAILED_TRIALS} failed",
            count=count,
            least=FAILED_TRIALS,
        )


def _papers(answers: Answers, drug: str, today: date, certified: bool) -> Iterator[Finding]:
    """`consent` and `rems`."""

    def signed(on: date | None) -> bool:
        return on is not None and on <= today

    if not signed(answers.treatment_consent):
        yield _finding("consent", gettext_noop("The consent to the treatment is missing."), "treatment_consent")
    if drug == "ketamine" and not signed(answers.off_label_consent):
        text = gettext_noop("The consent to ketamine off-label is missing.")
        yield _finding("consent", text, "off_label_consent")
    if drug == "esketamine" and not certified:
        yield _finding("rems", gettext_noop("The site is not certified under the esketamine REMS."), "site")
    if drug == "esketamine" and not signed(answers.rems_enrolled):
        yield _finding("rems", gettext_noop("The patient is not enrolled in the esketamine REMS."), "rems_enrolled")


#: Where a page asks for what a finding is about, when `observed` does not name it.
_ASKED_AT = {"not-screened": "decision", "two-failed": "trials"}


def item_of(finding: Finding) -> str:
    """The answer that a finding is about: a field of Answers, "decision", or "site" for what no answer can mend."""
    return _ASKED_AT.get(finding.rule, finding.observed)
