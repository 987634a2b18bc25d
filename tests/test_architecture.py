"""The house: who may import whom, where session times are written, how long a module may be."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("clinic", "patients", "scheduling")

#: From the top down: a module may import what stands in a later line, or in its own.
FLOORS = (
    ("clinic.urls", "clinic.wsgi", "clinic.celery", "*.management", "clinic.local.demo"),
    ("*.urls",),
    ("*.views", "*.api", "scheduling.tasks", "*.admin", "clinic.signin", "clinic.health"),
    ("*.forms", "*.templatetags", "scheduling.visit_forms", "scheduling.charting_forms"),
    ("scheduling.portal",),
    (
        "scheduling.cancelling",
        "scheduling.confirming",
        "scheduling.deciding",
        "scheduling.rolling",
        "scheduling.offering",
    ),
    ("scheduling.outcomes",),
    ("scheduling.visits.charting",),
    ("scheduling.visits.noting",),
    ("scheduling.visits.treating", "scheduling.visits.handing"),
    ("scheduling.visits.undoing",),
    ("scheduling.visits.leaving",),
    ("scheduling.visits.stepping",),
    ("scheduling.moving", "scheduling.roster", "scheduling.visits.absence"),
    ("scheduling.booking",),
    ("scheduling.holding", "scheduling.proposing", "scheduling.fitting", "scheduling.further"),
    ("scheduling.placing", "scheduling.reviewing", "scheduling.mails.bounces"),
    ("scheduling.gating", "scheduling.judging", "scheduling.mails.outbox", "scheduling.writes", "scheduling.days"),
    ("scheduling.mails.drain",),
    ("scheduling.mails.letters", "scheduling.mails.server", "scheduling.checks"),
    ("scheduling.mails.gathering", "scheduling.mails.notes", "scheduling.missing"),
    (
        "scheduling.mails.emails",
        "scheduling.mails.calendars",
        "scheduling.queries",
        "scheduling.self_service",
        "scheduling.board",
        "scheduling.visits.charts",
        "scheduling.weeks",
        "scheduling.openings",
        "scheduling.clinical",
        "scheduling.response",
        "scheduling.lapses",
    ),
    ("scheduling.models",),
    ("scheduling.protocols",),
)


def modules() -> Iterator[tuple[str, ast.Module, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if ".migrations" not in name:
                text = path.read_text()
                yield name, ast.parse(text), text


def imports(tree: ast.Module) -> Iterator[str]:
    """What a module imports when it is loaded; one inside a function opens a cycle and gives its reason there."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor_of(name: str) -> int | None:
    """The floor of one of our modules, None for everybody else's and for those that any floor may use."""
    package, *inside = name.split(".")
    if package not in PACKAGES:
        return None
    for floor, patterns in enumerate(FLOORS):
        for pattern in patterns:
            wanted, *path = pattern.split(".")
            if wanted in ("*", package) and inside[: len(path)] == path:
                return floor
    return None


def test_imports_point_down() -> None:
    wrong = [
        f"{name} imports {wanted}"
        for name, tree, _ in modules()
        for wanted in imports(tree)
        if (here := floor_of(name)) is not None and (there := floor_of(wanted)) is not None and there < here
    ]

    assert wrong == []


def test_patients_and_the_clinic_know_nothing_of_scheduling_below_their_pages() -> None:
    allowed = ("views", "api", "urls", "management", "admin", "local", "celery", "forms", "templatetags")
    wrong = [
        f"{name} imports {wanted}"
        for name, tree, _ in modules()
        for wanted in imports(tree)
        if name.startswith(("clinic", "patients"))
        and wanted.startswith("scheduling.")
        and not wanted.startswith("scheduling.protocols")
        and not set(name.split(".")) & set(allowed)
    ]

    assert wrong == []


def test_only_placing_writes_session_times() -> None:
    columns = {"during", "dose_starts_at", "dose_ends_at", "discharge_at", "local_date"}
    wrong = [
        name
        for name, tree, _ in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in {"Session", "update", "create"}
        and {keyword.arg for keyword in node.keywords} & columns
        and name.startswith(("scheduling", "patients", "clinic"))
        and name != "scheduling.placing"
        and "loadclinic" not in name
        and "demo" not in name
    ]

    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_empty_so_that_importing_one_loads_nothing(package: str) -> None:
    assert Path(str(importlib.import_module(package).__file__)).read_text() == ""


def test_no_module_passes_400_lines() -> None:
    assert [name for name, _, text in modules() if text.count("\n") > 400] == []
