"""What a rule says about a plan. Pure: imports no Django, so that rules can be tested without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


def gettext_noop(message: str) -> str:
    """Mark a text for the message catalogue; it is translated where it is shown."""
    return message


class Level(StrEnum):
    """How far a finding can be passed over: not at all, by a prescriber with a reason, by anybody."""

    BLOCK = "block"
    OVERRIDE = "override"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's verdict.

    `text` is a message id with %(name)s places, `values` what stands in them: the text is translated where it
    is shown, so rules need no Django. `sessions` holds indexes (of proposed sessions) or ids, as the caller says.
    `beyond` is how far past its limit, in the rule's own unit, to tell a worse breach from one that was there before.
    """

    rule: str
    level: Level
    text: str
    observed: str = ""
    limit: str = ""
    sessions: tuple[int, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    beyond: float = field(default=0, compare=False)

    @property
    def message(self) -> str:
        """The English text, for logs, tests and interfaces without a language."""
        return self.text % dict(self.values)


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, by rule within a level; the order of what is left is kept, which is that of time."""
    levels = list(Level)
    return tuple(sorted(findings, key=lambda finding: (levels.index(finding.level), finding.rule)))


def worst(findings: Iterable[Finding]) -> Level | None:
    """The most severe level among the findings, None without any."""
    levels = {finding.level for finding in findings}
    return next((level for level in Level if level in levels), None)
