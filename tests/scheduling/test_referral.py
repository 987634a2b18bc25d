"""The letter to the referring doctor: one page whatever it holds, and what people typed is no markup."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO
from uuid import uuid4

import pytest
from django.test import Client
from pypdf import PdfReader

from clinic.errors import RoleRefused
from patients.models import Patient, Score
from scheduling import deciding, referral
from scheduling.models import AdverseEvent, Course, CourseEvent, VisitRecord, VitalsRound
from tests.factories import (
    MONDAY,
    Clinic,
    CourseFactory,
    PatientFactory,
    SessionFactory,
    local,
    make_clinic,
    went,
)
from tests.pages import signed_in

pytestmark = pytest.mark.django_db

MARKUP = '#let x = 1; *bold* _it_ $x^2$ `raw` <tag> @ref \\ "quote" = Heading // no #sys.inputs'
LONG = "Wolfeschlegelsteinhausenbergerdorff-Castellanos-Brandvold"


def day(ahead: int) -> date:
    return MONDAY + timedelta(days=ahead)


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic(weeks=70)


def treated(clinic: Clinic, patient: Patient, visits: int) -> Course:
    """A course of so many visits, a week apart, each with a dose, three rounds and a PHQ-9 before it."""
    course = CourseFactory.create(site=clinic.site, patient=patient)
    for number in range(visits):
        session = SessionFactory.create(
            course=course,
            number=number + 1,
            chair=clinic.chairs[0],
            prescriber=clinic.prescriber,
            starts_at=local(day(7 * number)),
        )
        VisitRecord.objects.create(
            session=session,
            changed={"pressure": False, "liver": False, "stroke": False, "heart": False},
            checked_in_by=clinic.nurse,
            drug="ketamine",
            mg="34.5",
            mg_per_kg="0.5",
        )
        for minutes, systolic in ((-10, 126), (30, 148), (150, 130)):
            VitalsRound.objects.create(
                session=session,
                taken_at=session.dose_starts_at + timedelta(minutes=minutes),
                systolic=systolic,
                diastolic=80,
                heart_rate=70,
                spo2=98,
                sedation=5,
                dissociation=0,
                by=clinic.nurse,
                at=session.dose_starts_at,
            )
        Score.objects.create(
            patient=patient,
            instrument="phq9",
            total=max(3, 20 - number),
            taken_at=session.starts_at - timedelta(minutes=30),
            by=clinic.nurse,
            at=session.starts_at,
        )
    went(course.sessions.all())
    return course


def told(course: Course, clinic: Clinic, reason: str, times: int) -> None:
    for number in range(times):
        CourseEvent.objects.create(
            course=course,
            kind="decided",
            at=local(day(number)),
            by=clinic.prescriber,
            details={"decision": "go-on", "reason": reason},
        )


def read(pdf: bytes) -> tuple[int, str]:
    """How many pages, and the text with its lines joined."""
    reader = PdfReader(BytesIO(pdf))
    return len(reader.pages), " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def letter(clinic: Clinic, course: Course, at: int = 300) -> tuple[int, str]:
    return read(referral.letter(actor=clinic.prescriber, course=course, now=local(day(at))))


def test_it_says_how_the_course_went(clinic: Clinic) -> None:
    patient = PatientFactory.create(first_name="Johanna", last_name="Castellanos")
    course = treated(clinic, patient, 4)
    deciding.decide(
        actor=clinic.prescriber,
        course=course,
        decision="maintenance",
        reason="Response, and the patient wishes it.",
        interval_days=21,
        now=local(day(21), "17:00"),
    )

    pages, text = letter(clinic, course, at=22)

    assert pages == 1
    for said in (
        "Johanna Castellanos, born 17 May 1980",
        "4 doses were given, from 1 Feb 2027 to 22 Feb 2027.",
        "PHQ-9: 20 before the first dose, 17 on 22 Feb 2027: 15% better.",
        "34.5 mg (0.5 mg/kg)",
        "126/80",
        "148/80",
        "No adverse events were recorded.",
        "Maintenance every 21 days: Response, and the patient wishes it.",
        clinic.site.name,
    ):
        assert said in text


@pytest.mark.parametrize("visits", [0, 1, 20, 45])
def test_it_is_one_page_whatever_it_holds(clinic: Clinic, visits: int) -> None:
    patient = PatientFactory.create(first_name=LONG, last_name=LONG)
    course = treated(clinic, patient, visits)
    told(course, clinic, f"{LONG} " * 12, 12)
    if visits:
        session = course.sessions.get(number=1)
        AdverseEvent.objects.bulk_create(
            AdverseEvent(
                session=session, type=LONG, onset=session.dose_starts_at, severity=4, serious=True,
                by=clinic.nurse, at=session.dose_starts_at,
            )
            for _ in range(12)
        )  # fmt: skip

    pages, text = letter(clinic, course, at=360)

    assert pages == 1
    assert "With kind regards" in text


def test_what_people_typed_is_said_as_they_typed_it(clinic: Clinic) -> None:
    patient = PatientFactory.create(first_name="*Ann* #1", last_name="$mith_<x>")
    course = treated(clinic, patient, 1)
    told(course, clinic, MARKUP, 1)

    _pages, text = letter(clinic, course)

    assert "*Ann* #1 $mith_<x>" in text
    assert f"Go on: {MARKUP}" in text


def test_a_course_without_doses_and_scores_is_a_letter_too(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)

    pages, text = letter(clinic, course)

    assert pages == 1
    assert "No dose has been given." in text


@pytest.mark.parametrize("who", ["desk", "nurse", "manager"])
def test_only_clinicians_write_it(clinic: Clinic, who: str) -> None:
    course = CourseFactory.create(site=clinic.site)

    with pytest.raises(RoleRefused):
        referral.letter(actor=getattr(clinic, who), course=course, now=local(MONDAY))
    assert signed_in(getattr(clinic, who)).get(f"/courses/{course.pk}/letter/").status_code == 403


@pytest.mark.parametrize("who", ["clinician", "prescriber"])
def test_the_page_answers_a_pdf_whose_name_says_nothing(at_now: None, clinic: Clinic, who: str) -> None:
    course = CourseFactory.create(site=clinic.site)
    client: Client = signed_in(getattr(clinic, who))

    answer = client.get(f"/courses/{course.pk}/letter/")

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == 'inline; filename="letter.pdf"'
    assert answer["Cache-Control"] == "no-store"
    assert read(answer.content)[0] == 1
    assert client.get("/courses/999999/letter/").status_code == 404


def test_a_clinician_of_another_site_does_not_get_it(clinic: Clinic) -> None:
    course = CourseFactory.create(site=clinic.site)
    other = make_clinic(chairs=1, prescribers=1)

    with pytest.raises(RoleRefused):
        referral.letter(actor=other.prescriber, course=course, now=local(MONDAY))


def test_its_properties_name_nobody(clinic: Clinic) -> None:
    patient = PatientFactory.create(first_name="Johanna", last_name=f"Castellanos{uuid4().hex}")
    course = CourseFactory.create(site=clinic.site, patient=patient)

    pdf = PdfReader(BytesIO(referral.letter(actor=clinic.prescriber, course=course, now=local(MONDAY))))

    assert pdf.metadata is not None
    assert [value for value in pdf.metadata.values() if "Johanna" in str(value) or "Castell" in str(value)] == []
