"""Refusals that a user can act on. Pages show them in the form, the interface answers them once, in `clinic/api.py`.

Errors that belong to one verb stand beside it; here are those that several raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from clinic.findings import Finding


class DomainError(Exception):
    """A refusal with a code for programs, a sentence for people and what belongs to it. Nothing was changed."""

    code = "refused"
    status = 422

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Invalid(DomainError):
    """Input that cannot be meant: a past time, a chair of another site. `fields` maps field to sentences."""

    code = "invalid"
    status = 400

    def __init__(self, message: str, *, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message, fields={name: list(texts) for name, texts in fields.items()})
        self.fields = fields

    @classmethod
    def at(cls, field: str, sentence: str) -> Self:
        """One sentence about one field."""
        return cls(sentence, fields={field: [sentence]})


class RoleRefused(DomainError):
    """The actor's role does not allow the act."""

    code = "role"
    status = 403


class RulesBroken(DomainError):
    """The plan breaks rules: `findings` says which, and at which level."""

    code = "rules"
    status = 422

    def __init__(self, message: str, *, findings: Sequence[Finding]) -> None:
        super().__init__(message, findings=list(findings))
        self.findings = tuple(findings)


class RequestReused(DomainError):
    """The request id belongs to another request that succeeded."""

    code = "request_reused"
    status = 409


class Stale(DomainError):
    """The thing was changed since the actor saw it."""

    code = "stale"
    status = 409
