"""Forms about patients."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.forms import ClockField, DateField
from patients import contact
from patients.measures import ANSWERS, Instrument
from patients.models import Channel, ContactLevel, Patient
from patients.registering import digits

#: Besides control characters those that turn the direction of the text which follows them, on other people's lines too.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


#: What stands between the letters of a name, in any script: spaces, hyphens, apostrophes, dots, and what joins letters.
_BETWEEN = frozenset(" -\u2010\u2011'\u2019\u2018\u02bc`\u00b4.\u00b7\u200c\u200d")

_PHONE = re.compile(r"[\d+()./\s-]+(?:(?:x|ext\.?|extension)\s*\d{1,6})?", re.IGNORECASE)

#: A number with fewer digits reaches nobody.
_FEWEST_DIGITS = 5


def _is_name(text: str) -> bool:
    """Whether it has a letter, and nothing but letters, their marks and what stands between them."""
    letters = [sign for sign in text if sign not in _BETWEEN]
    return any(map(str.isalpha, letters)) and all(unicodedata.category(sign)[0] in "LM" for sign in letters)


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text) is not None and len(digits(text)) >= _FEWEST_DIGITS


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


#: The fields in which a patient's words about a channel are written down, and what can be said.
CONSENTS = {Channel.EMAIL: "mail_consent", Channel.PHONE: "phone_consent"}
OFFERED = {
    Channel.EMAIL: {
        ContactLevel.NEUTRAL: _("Neutral mails (recommended)"),
        ContactLevel.DETAILED: _("Detailed mails, after this warning"),
        ContactLevel.STOPPED: _("No mails"),
    },
    Channel.PHONE: {
        ContactLevel.NEUTRAL: _("We may call"),
        ContactLevel.STOPPED: _("No calls"),
    },
}


def _sentences(channel: Channel, level: str) -> list[tuple[str, str]]:
    """What is read out about a level, by language; nothing where there is nothing to say."""
    if level == ContactLevel.UNASKED:
        return []
    return [(code, contact.wording(channel, ContactLevel(level), code)) for code, _name in settings.LANGUAGES]


class PatientForm(forms.ModelForm[Patient]):
    """What the desk knows of a patient. `not_duplicate` is asked only when somebody alike is registered.

    `mail_consent` and `phone_consent` are what the patient has just said; what they had said before changes nothing.
    Nobody has agreed to mails before they were asked: who gives an address chooses.
    """

    mail_consent = forms.ChoiceField(label=_("Mails"), widget=forms.RadioSelect, required=False)
    phone_consent = forms.ChoiceField(label=_("Calls"), widget=forms.RadioSelect, required=False)
    birth_date = DateField(label=_("Birth date"), error_messages={"required": _("Type the birth date.")})
    not_duplicate = forms.BooleanField(label=_("None of them: this is somebody else"), required=False)
    request_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Patient
        fields = ["last_name", "first_name", "birth_date", "language", "email", "phone", "referred_by"]
        labels = {
            "last_name": _("Family name"),
            "first_name": _("First name"),
            "language": _("Language of mails"),
            "email": _("Mail address"),
            "phone": _("Phone"),
            "referred_by": _("Referring doctor"),
        }
        error_messages = {
            "last_name": {"required": _("Type the family name.")},
            "first_name": {"required": _("Type the first name.")},
        }
        help_texts = {
            "email": _("Without one, dates have to be told by phone."),
            "referred_by": _("Who gets the letter about the course."),
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they come
        for name in ("last_name", "first_name", "email", "phone", "referred_by"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        self._ask(Channel.EMAIL, ContactLevel(self.instance.mail_level) if self.instance.pk else None)
        self._ask(Channel.PHONE, contact.level_of(self.instance, Channel.PHONE) if self.instance.pk else None)
        if self.instance.pk:
            for name in self.fields:  # what has changed since the page was shown is not changed back
                self.fields[name].show_hidden_initial = name not in ("not_duplicate", "request_id")

    def _ask(self, channel: Channel, known: ContactLevel | None) -> None:
        """Offer what a patient can say about a channel; what is `known` stays chosen. Detailed mails are offered where
        they can be agreed to."""
        texts: dict[ContactLevel, object] = dict(OFFERED[channel])
        if known != ContactLevel.DETAILED and not contact.may_be_detailed(self.instance):
            texts.pop(ContactLevel.DETAILED, None)
        if not known and (self.instance.pk or channel == Channel.PHONE):
            texts[ContactLevel.UNASKED] = _("Not asked yet")
        field = self.fields[CONSENTS[channel]]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 that is how it is declared
        field.choices = [(level.value, text) for level, text in texts.items()]
        self.initial[CONSENTS[channel]] = known or ""

    def said(self, channel: Channel) -> ContactLevel | None:
        """What the patient has just said about a channel, None where that is nothing new; without an address there is
        nothing to agree to."""
        name, address = CONSENTS[channel], "email" if channel == Channel.EMAIL else "phone"
        level = self.cleaned_data[name]
        new = not self.instance.pk or name in self.changed_data
        return ContactLevel(level) if level and new and self.cleaned_data[address] else None

    @property
    def asked(self) -> list[tuple[forms.BoundField, list[tuple[Any, list[tuple[str, str]]]], SafeString]]:
        """The channels with their choices, each with the sentence that is read out, by language; and what was known."""
        return [
            (
                self[name],
                [(choice, _sentences(channel, choice.data["value"])) for choice in self[name]],
                self[name].as_hidden(only_initial=True) if self.fields[name].show_hidden_initial else SafeString(),
            )
            for channel, name in CONSENTS.items()
        ]

    def clean(self) -> dict[str, object]:
        """Names and numbers stand in the headers of mails: they are one line. What was registered before stays good, a
        new patient can be reached."""
        data: dict[str, object] = super().clean() or {}
        if not self.instance.pk and (data.get("phone"), data.get("email")) == ("", ""):
            self.add_error("phone", _("Give a phone number or a mail address, so that dates can be told."))
        if "email" in self.changed_data and data.get("email") and data.get("mail_consent") == "":
            self.add_error("mail_consent", _("Ask the patient about mails, and choose what they say."))
        for name in ("last_name", "first_name", "phone", "referred_by"):
            text = str(data.get(name, ""))
            if not text or name not in self.changed_data:
                continue
            if _CONTROLS.search(text):
                self.add_error(name, ValidationError(_("This has to be one line without control characters.")))
            elif name == "phone" and not _is_phone(text):
                self.add_error(name, _("Type the phone number: at least 5 digits, such as +1 555 014 2771."))
            elif name == "last_name" and not _is_name(text):
                self.add_error(name, _("Type the family name in letters."))
            elif name == "first_name" and not _is_name(text):
                self.add_error(name, _("Type the first name in letters."))
        return data


class ConsentForm(forms.Form):
    """What a patient says at the desk about one channel, with the press of a button."""

    channel = forms.TypedChoiceField(choices=Channel.choices, coerce=Channel)
    level = forms.TypedChoiceField(choices=ContactLevel.choices, coerce=ContactLevel)


class CallForm(forms.Form):
    """A request that takes effect once."""

    request_id = forms.UUIDField()


class ScoreForm(forms.Form):
    """A questionnaire as a patient has answered it, item by item; of a measure without items only its total. `items`
    and `total` are what is kept, `taken_at` is on the clocks of `zone`."""

    day = DateField(label=_("Answered on"))
    clock = ClockField(label=_("at"))
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, instrument: Instrument, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instrument, self.zone = instrument, zone
        if instrument.items:
            choices = [(answer.value, gettext(answer.text)) for answer in ANSWERS]
            for number, item in enumerate(instrument.items, start=1):
                self.fields[f"item_{number}"] = forms.TypedChoiceField(
                    label=gettext(item.text),
                    choices=choices,
                    coerce=int,
                    widget=forms.RadioSelect,
                    error_messages={"required": _("Choose an answer.")},
                )
        else:
            self.fields["total"] = forms.IntegerField(
                label=_("Total"),
                min_value=0,
                max_value=instrument.highest,
                widget=forms.NumberInput({"autofocus": True}),
            )

    @property
    def asked(self) -> list[forms.BoundField]:
        """The items, in their order."""
        return [self[f"item_{number}"] for number, _item in enumerate(self.instrument.items, start=1)]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        # Of a time that the clocks show twice the first is meant; nothing rests on the hour between them.
        taken_at = datetime.combine(data["day"], data["clock"], self.zone).astimezone(UTC)
        given = {"request_id": data["request_id"], "taken_at": taken_at}
        if self.instrument.items:
            return given | {"items": [data[field.name] for field in self.asked]}
        return given | {"total": data["total"]}
