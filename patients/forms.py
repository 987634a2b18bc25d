"""Forms about patients."""

from __future__ import annotations

import re

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.forms import DateField
from patients.models import Patient

#: Besides control characters those that turn the direction of the text which follows them, on other people's lines too.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Filter(models.TextChoices):
    """Which of the found patients are shown."""

    ALL = "", _("All")
    RUNNING = "running", _("In a course")
    FREE = "free", _("Without a course")
    NO_MAIL = "no-mail", _("Without mail address")

    @classmethod
    def of(cls, text: str) -> Filter:
        """The one that an address names; all for what is none."""
        return cls(text) if text in cls.values else cls.ALL


class SearchForm(forms.Form):
    """What people say about a patient."""

    q = forms.CharField(required=False, max_length=100)


class PatientForm(forms.ModelForm[Patient]):
    """What the desk knows of a patient. `not_duplicate` is asked only when somebody alike is registered."""

    birth_date = DateField(label=_("Birth date"))
    not_duplicate = forms.BooleanField(label=_("None of them: this is somebody else"), required=False)
    request_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Patient
        fields = ["last_name", "first_name", "birth_date", "language", "email", "phone"]
        labels = {
            "last_name": _("Family name"),
            "first_name": _("First name"),
            "language": _("Language of mails"),
            "email": _("Mail address"),
            "phone": _("Phone"),
        }
        help_texts = {"email": _("Without one, dates have to be told by phone.")}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they come
        for name in ("last_name", "first_name", "email", "phone"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        if self.instance.pk:
            for name in self.Meta.fields:  # what has changed since the page was shown is not changed back
                self.fields[name].show_hidden_initial = True

    def clean(self) -> dict[str, object]:
        """Names and numbers stand in the headers of mails: they are one line."""
        data: dict[str, object] = super().clean() or {}
        for name in ("last_name", "first_name", "phone"):
            if _CONTROLS.search(str(data.get(name, ""))):
                self.add_error(name, ValidationError(_("This has to be one line without control characters.")))
        return data
