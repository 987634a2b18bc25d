"""Protocols: new versions as JSON, held against the rules before they are saved. What is stored never changes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.admin import SetUpAdmin, set_up
from clinic.errors import Stale
from clinic.findings import Finding, Level
from scheduling.models import ProtocolVersion
from scheduling.protocols import library


class _Decoder(json.JSONDecoder):
    """Text that is nested too deep to be read is no valid JSON either."""

    def decode(self, s: str, *args: Any) -> Any:
        try:
            return super().decode(s, *args)
        except RecursionError as error:
            raise json.JSONDecodeError("nested too deep", "", 0) from error


class ProtocolField(forms.JSONField):
    """JSON with a line for each value."""

    def __init__(self, **options: Any) -> None:
        super().__init__(decoder=_Decoder, **options)

    def prepare_value(self, value: Any) -> Any:
        return (
            json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else super().prepare_value(value)
        )


class NewVersionForm(forms.ModelForm[ProtocolVersion]):
    """A protocol as JSON. Its number is the next one of its code, whatever the text says."""

    data = ProtocolField(  # type: ignore[assignment]  # fields do not stay attributes, so it hides no BaseForm.data
        label=gettext_lazy("Protocol"),
        widget=forms.Textarea(attrs={"rows": 40, "cols": 100, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "A new version leaves running courses as they are. Its number is given when it is saved. Before it is used"
            " with patients, a licensed prescriber has to approve it."
        ),
    )

    class Meta:
        model = ProtocolVersion
        fields = ["data"]

    def clean_data(self) -> dict[str, Any]:
        """The protocol, valid in itself, with its number. Refuses what a rule blocks: `less-often`."""
        data = self.cleaned_data["data"]
        code = data.get("code") if isinstance(data, dict) else None
        if isinstance(code, str) and "\0" not in code:
            known = ProtocolVersion.objects.filter(code=code).aggregate(last=Max("version"))["last"]
            data["version"] = (known or 0) + 1
        try:
            protocol = library.from_data(data)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        self.findings = library.judge_protocol(protocol)
        if blocks := [finding for finding in self.findings if finding.level == Level.BLOCK]:
            raise ValidationError([_told(finding) for finding in blocks])
        self.instance.code, self.instance.version, self.instance.name = protocol.code, protocol.version, protocol.name
        return library.to_data(protocol)


def _told(finding: Finding) -> str:
    sentence = _(finding.text) % dict(finding.values)
    return f"{finding.rule}: {sentence} ({finding.observed}; {finding.limit})"


@admin.register(ProtocolVersion, site=set_up)
class ProtocolVersionAdmin(SetUpAdmin[ProtocolVersion]):
    """The versions of all protocols. One that is not offered for new courses any more is retired."""

    list_display = ["name", "code", "version", "retired", "created", "next_version"]
    list_filter = ["retired", "code"]
    ordering = ["code", "-version"]

    @admin.display(description=gettext_lazy("change"))
    def next_version(self, row: ProtocolVersion) -> SafeString:
        url = reverse("admin:scheduling_protocolversion_add")
        return format_html('<a href="{}?from={}">{}</a>', url, row.pk, _("New version from this"))

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, row: ProtocolVersion) -> datetime:
        return row.created_at

    @admin.display(description=gettext_lazy("protocol"))
    def as_text(self, row: ProtocolVersion) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.data, indent=2, ensure_ascii=False))

    def get_fields(self, request: HttpRequest, obj: ProtocolVersion | None = None) -> Any:
        return ["name", "code", "version", "created", "retired", "as_text"] if obj else ["data"]

    def get_readonly_fields(self, request: HttpRequest, obj: ProtocolVersion | None = None) -> list[str]:
        return ["name", "code", "version", "created", "as_text"] if obj else []

    def get_form(
        self, request: HttpRequest, obj: ProtocolVersion | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[ProtocolVersion]]:
        return super().get_form(request, obj, change=change, **kwargs) if obj else NewVersionForm

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The text of the version to begin with, the default protocol otherwise."""
        given = request.GET.get("from", "")
        known = ProtocolVersion.objects.filter(pk=given).first() if given.isdecimal() and len(given) < 10 else None
        data = known.data if known else library.to_data(library.STANDARD)
        return {"data": data}

    def save_model(self, request: HttpRequest, obj: ProtocolVersion, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["retired"])
            return
        try:
            with transaction.atomic():
                obj.save(force_insert=True)
        except IntegrityError as error:
            raise Stale(_("Somebody has saved a version at the same moment; try again.")) from error
        for finding in form.findings:
            messages.warning(request, _told(finding))
