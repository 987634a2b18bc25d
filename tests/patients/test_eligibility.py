from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from clinic.findings import Finding, Level
from patients.answers import (
    ANTIDEPRESSANTS,
    Answers,
    Decision,
    DrugClass,
    Outcome,
    SignOff,
    StrokeKind,
    Trial,
    antidepressant,
)
from patients.eligibility import BLOCKS, QUESTIONS, RULES, failed_trials, item_of, judge, resistant
from tests.screenings import DULOXETINE, HEARD, SERTRALINE, WELL

TODAY = date(2026, 11, 23)
TOMORROW = date(2026, 11, 24)


def said(
    answers: Answers | None, decision: str = "accepted", drug: str = "ketamine", *, certified: bool = True
) -> list[tuple[str, str]]:
    """Which rules speak, and about what."""
    found = judge(answers, decision, drug=drug, today=TODAY, certified=certified)
    return [(finding.rule, finding.observed) for finding in found]


@pytest.mark.parametrize("drug", ["ketamine", "esketamine"])
def test_nothing_speaks_against_a_patient_with_two_failed_trials_and_all_papers(drug: str) -> None:
    assert said(WELL, drug=drug) == []


CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("not-screened", {}, [("not-screened", "open")]),
    ("first-line", {"trials": ()}, [("first-line", "trials"), ("two-failed", "0 failed")]),
    ("first-line", {"therapies": ()}, [("first-line", "therapies")]),
    ("two-failed", {"trials": (SERTRALINE,)}, [("two-failed", "1 failed")]),
    ("two-failed", {"trials": (SERTRALINE, SERTRALINE)}, [("two-failed", "1 failed")]),
    ("two-failed", {"trials": (SERTRALINE, replace(SERTRALINE, drug="Zoloft"))}, [("two-failed", "1 failed")]),
    ("two-failed", {"trials": (SERTRALINE, replace(DULOXETINE, adequate=False))}, [("two-failed", "1 failed")]),
    (
        "two-failed",
        {"trials": (SERTRALINE, replace(DULOXETINE, outcome=Outcome.NOT_TOLERATED))},
        [("two-failed", "1 failed")],
    ),
    ("two-failed", {"trials": (replace(SERTRALINE, outcome=Outcome.HELPED),)}, [("two-failed", "0 failed")]),
    ("sign-offs", {"doctor": SignOff()}, [("sign-offs", "doctor")]),
    ("sign-offs", {"therapist": replace(HEARD, note=" ")}, [("sign-offs", "therapist")]),
    ("sign-offs", {"psychologist": replace(HEARD, on=None)}, [("sign-offs", "psychologist")]),
    ("sign-offs", {"doctor": replace(HEARD, name="")}, [("sign-offs", "doctor")]),
    ("sign-offs", {"doctor": replace(HEARD, on=TOMORROW)}, [("sign-offs", "doctor")]),
    ("consent", {"treatment_consent": None}, [("consent", "treatment_consent")]),
    ("consent", {"off_label_consent": None}, [("consent", "off_label_consent")]),
    ("consent", {"treatment_consent": TOMORROW}, [("consent", "treatment_consent")]),
    ("bleed", {"bleed": True}, [("bleed", "bleed")]),
    ("bleed", {"aneurysm": True}, [("bleed", "aneurysm")]),
    ("bleed", {"malformation": True}, [("bleed", "malformation")]),
    ("bleed", {"drug_allergy": True}, [("bleed", "drug_allergy")]),
    ("bleed", {"stroke": True, "stroke_kind": StrokeKind.BLEED}, [("bleed", "stroke_kind")]),
    ("vessels", {"vessels": True}, [("vessels", "vessels")]),
    ("pressure", {"pressure": True}, [("pressure", "pressure")]),
    ("stroke", {"stroke": True, "stroke_kind": StrokeKind.ISCHEMIC}, [("stroke", "stroke")]),
    ("tell-us", {"liver": True}, [("tell-us", "liver")]),
    ("tell-us", {"heart": True}, [("tell-us", "heart")]),
    *(("unanswered", {item: None}, [("unanswered", item)]) for item in QUESTIONS),
    ("unanswered", {"stroke": True}, [("unanswered", "stroke_kind"), ("stroke", "stroke")]),
    *(("also-asked", {item: True}, [("also-asked", item)]) for item in ("pregnancy", "psychosis", "substance_use")),
]


@pytest.mark.parametrize(("rule", "changes", "expected"), CASES)
def test_each_rule_speaks_about_what_is_missing_or_found(
    rule: str, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    decision = "" if rule == "not-screened" else "accepted"

    assert said(replace(WELL, **changes), decision) == expected
    assert rule in {code for code, _ in expected}


@pytest.mark.parametrize(
    ("rule", "changes", "certified", "expected"),
    [
        ("rems", {"rems_enrolled": None}, True, [("rems", "rems_enrolled")]),
        ("rems", {"rems_enrolled": TOMORROW}, True, [("rems", "rems_enrolled")]),
        ("rems", {}, False, [("rems", "site")]),
        ("alone", {"medicines": ("aspirin 100 mg", "vitamin D")}, True, [("alone", "medicines")]),
        ("consent", {"treatment_consent": None}, True, [("consent", "treatment_consent")]),
    ],
)
def test_esketamine_has_rules_of_its_own(
    rule: str, changes: dict[str, Any], certified: bool, expected: list[tuple[str, str]]
) -> None:
    answers = replace(WELL, **changes)

    assert said(answers, drug="esketamine", certified=certified) == expected
    # None of them is asked of racemic ketamine, which is off-label instead.
    others = [found for found in said(answers, certified=certified) if found[0] in ("rems", "alone")]
    assert others == []


def test_esketamine_needs_no_consent_off_label() -> None:
    assert said(replace(WELL, off_label_consent=None), drug="esketamine") == []


@pytest.mark.parametrize(
    ("answers", "decision", "expected"),
    [
        (None, "", "There is no screening yet."),
        (WELL, "", "The screening is not decided yet."),
        (WELL, "declined", "The screening has declined the patient."),
        (WELL, "deferred", "The screening has put the decision off."),
    ],
)
def test_only_an_accepted_screening_lets_a_patient_be_treated(
    answers: Answers | None, decision: str, expected: str
) -> None:
    found = judge(answers, decision, drug="ketamine", today=TODAY)

    assert [(finding.rule, finding.level, finding.message) for finding in found] == [
        ("not-screened", Level.BLOCK, expected)
    ]


def test_an_empty_screening_says_everything_that_is_missing_blocks_first() -> None:
    found = judge(Answers(), "", drug="esketamine", today=TODAY, certified=False)

    assert list(dict.fromkeys((finding.rule, finding.level) for finding in found)) == [
        ("consent", Level.BLOCK),
        ("not-screened", Level.BLOCK),
        ("rems", Level.BLOCK),
        ("unanswered", Level.BLOCK),
        ("first-line", Level.OVERRIDE),
        ("sign-offs", Level.OVERRIDE),
        ("two-failed", Level.OVERRIDE),
        ("alone", Level.WARN),
    ]
    assert len([finding for finding in found if finding.rule == "unanswered"]) == 12


def test_every_code_has_a_case_here_and_its_level() -> None:
    tested = {rule for rule, _, _ in CASES} | {"rems", "alone"}

    assert tested == set(RULES)
    assert {"not-screened", "consent", "rems", "bleed", "unanswered"} == BLOCKS


def test_a_finding_has_a_sentence_with_its_numbers() -> None:
    (found,) = judge(replace(WELL, trials=(SERTRALINE,)), "accepted", drug="ketamine", today=TODAY)

    assert found == Finding(
        "two-failed",
        Level.OVERRIDE,
        "Antidepressants that have failed at an adequate dose and length: %(count)s of %(least)s.",
        observed="1 failed",
        limit="2 failed",
        values={"count": 1, "least": 2},
    )
    assert found.message == "Antidepressants that have failed at an adequate dose and length: 1 of 2."


def test_two_drugs_that_have_failed_make_it_resistant_with_the_trials_as_evidence() -> None:
    again = replace(SERTRALINE, drug="Sertraline ", dose="200 mg")

    assert failed_trials(replace(WELL, trials=(SERTRALINE, DULOXETINE, again))) == (again, DULOXETINE)
    assert [resistant(answers) for answers in (None, WELL, replace(WELL, trials=(SERTRALINE, again)))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("medicines", "trials", "alone"),
    [
        (["Lexapro 10 mg, in the morning"], (), False),
        (["ESCITALOPRAM"], (), False),
        (["moclobemide 300 mg"], (), True),
        (["moclobemide 300 mg"], (replace(SERTRALINE, drug="Moclobemide", drug_class=DrugClass.OTHER),), False),
        ([], (SERTRALINE,), True),
    ],
)
def test_an_antidepressant_is_known_by_its_name_its_brand_or_a_trial(
    medicines: Sequence[str], trials: tuple[Trial, ...], alone: bool
) -> None:
    answers = replace(WELL, medicines=tuple(medicines), trials=trials)

    assert (("alone", "medicines") in said(answers, drug="esketamine")) is alone


@pytest.mark.parametrize(
    ("brand", "drug_class"),
    [
        ("Cymbalta", DrugClass.SNRI),
        ("Pristiq", DrugClass.SNRI),
        ("Fetzima", DrugClass.SNRI),
        ("Wellbutrin", DrugClass.ATYPICAL),
        ("Remeron", DrugClass.ATYPICAL),
        ("Vivactil", DrugClass.TRICYCLIC),
        ("Pamelor", DrugClass.TRICYCLIC),
    ],
)
def test_the_list_has_every_brand_of_the_source_document_in_its_class(brand: str, drug_class: DrugClass) -> None:
    known = antidepressant(f" {brand.upper()} ")

    assert known is not None
    assert known.drug_class == drug_class


def test_no_name_on_the_list_means_two_drugs() -> None:
    names = [name for known in ANTIDEPRESSANTS for name in (known.name, known.brand) if name]

    assert len(names) == len(set(names))
    assert {known.drug_class for known in ANTIDEPRESSANTS} == set(DrugClass)


@pytest.mark.parametrize("answers", [Answers(), WELL, replace(WELL, stroke=True, stroke_kind=StrokeKind.BLEED)])
def test_answers_come_back_from_what_is_stored_of_them(answers: Answers) -> None:
    assert Answers.from_data(answers.to_data()) == answers


def test_what_is_stored_is_plain() -> None:
    data = WELL.to_data()

    assert data["trials"][0] == {
        "drug": "sertraline",
        "drug_class": "SSRI",
        "dose": "150 mg",
        "weeks": 10,
        "adequate": True,
        "outcome": "failed",
    }
    assert (data["doctor"], data["treatment_consent"], data["severity"], data["medicines"]) == (
        {"name": "Dana Ruiz", "on": "2026-01-05", "note": "A good candidate."},
        "2026-01-05",
        "severe",
        ["Bupropion 150 mg"],
    )


def test_what_an_older_screening_did_not_ask_is_not_answered() -> None:
    assert Answers.from_data({"liver": True, "retired_question": 1}) == Answers(liver=True)


def test_a_finding_leads_to_the_answer_it_is_about() -> None:
    found = judge(Answers(), Decision.OPEN, drug="esketamine", today=TODAY, certified=False)

    assert {item_of(finding) for finding in found} == {
        *QUESTIONS,
        *("decision", "trials", "therapies", "doctor", "therapist", "psychologist"),
        *("treatment_consent", "rems_enrolled", "site", "medicines"),
    }
