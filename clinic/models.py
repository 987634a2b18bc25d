"""The clinic as a place: who works there, its chairs and the times in which it can treat."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pgtrigger
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _


def same(column: str) -> Func:
    """An equality that an exclusion constraint can use without the extension btree_gist: a range of one number."""
    return Func(F(column), F(column), Value("[]"), function="int8range")


def finite(column: str) -> Q:
    """The range is not empty and has both ends, none of them an infinite time."""
    return Q(
        **{
            f"{column}__isempty": False,
            f"{column}__lower_inf": False,
            f"{column}__upper_inf": False,
            f"{column}__startswith__gte": datetime(1900, 1, 1, tzinfo=UTC),
            f"{column}__endswith__lt": datetime(2200, 1, 1, tzinfo=UTC),
        }
    )


def touches_days(name: str) -> pgtrigger.Trigger:
    """A trigger that locks and raises the days of a row's `during` at its site, before and after a change."""
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        func="""
                    IF TG_OP <> 'INSERT' THEN PERFORM touch_range(OLD.site_id, OLD.during); END IF;
                    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                    PERFORM touch_range(NEW.site_id, NEW.during);
                    RETURN NEW;
                """,
    )


class Role(models.TextChoices):
    DESK = "desk", _("Front desk")
    CLINICIAN = "clinician", _("Clinician")
    NURSE = "nurse", _("Nurse")
    MANAGER = "manager", _("Manager")


class Language(models.TextChoices):
    """In which language somebody reads; each is named in itself, for whoever cannot read the others."""

    BROWSER = "", _("As the browser")
    ENGLISH = "en", "English"
    SPANISH = "es", "Español"


class Appearance(models.TextChoices):
    SYSTEM = "system", _("As the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless the name is a zone of the tz database."""
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is not a time zone."), params={"name": name})


def validate_step(minutes: int) -> None:
    """Raise ValidationError unless starts every so many minutes lie on the planning grid and divide the hour."""
    if minutes not in {10, 20, 30, 60}:
        raise ValidationError(_("Starts are offered every 10, 20, 30 or 60 minutes."))


class Site(models.Model):
    """One place with its own time zone. `neutral_name` is what patients read in mails.

    Reminders wait for no night: what falls into the quiet hours, by the site's clocks, goes out before; there are none
    where both ends are equal. `crisis_line` and `emergency_number` are what a patient is told to call.
    """

    name = models.CharField(_("name"), max_length=80)
    neutral_name = models.CharField(_("neutral name in mails"), max_length=80)
    address = models.CharField(_("address"), max_length=200, blank=True, default="")
    phone = models.CharField(_("phone"), max_length=40, blank=True, default="")
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])
    start_step = models.PositiveSmallIntegerField(
        _("minutes between offered starts"), default=10, validators=[validate_step]
    )
    quiet_from = models.TimeField(_("no reminders from"), default=time(21), db_default=time(21))
    quiet_until = models.TimeField(_("no reminders until"), default=time(7), db_default=time(7))
    crisis_line = models.CharField(_("crisis line"), max_length=40, default="988", db_default="988")
    emergency_number = models.CharField(_("emergency number"), max_length=20, default="911", db_default="911")
    self_service_notice = models.PositiveSmallIntegerField(
        _("hours before a visit until which patients move it themselves"), default=48, db_default=48
    )
    rems_certified = models.BooleanField(_("certified for esketamine (REMS)"), default=False, db_default=False)

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        constraints = [models.UniqueConstraint(fields=["name"], name="site_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.time_zone)


class Staff(AbstractUser):
    """Somebody who signs in. Only a clinician can be a prescriber: one who may give, override and decide."""

    role = models.CharField(_("role"), max_length=10, choices=Role)
    is_prescriber = models.BooleanField(_("prescriber"), default=False)
    title = models.CharField(_("title"), max_length=20, blank=True, default="")
    patients_at_once = models.PositiveSmallIntegerField(
        _("patients at once"), default=4, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    sites = models.ManyToManyField(Site, verbose_name=_("sites"), related_name="staff")

    language = models.CharField(_("language"), max_length=2, choices=Language, blank=True, default=Language.BROWSER)
    appearance = models.CharField(_("appearance"), max_length=6, choices=Appearance, default=Appearance.SYSTEM)
    single_keys = models.BooleanField(_("keys without Ctrl"), default=True)

    REQUIRED_FIELDS = ["role"]

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")
        constraints = [
            models.CheckConstraint(
                name="staff_prescriber_is_clinician", condition=Q(is_prescriber=False) | Q(role=Role.CLINICIAN)
            ),
            models.CheckConstraint(name="staff_role", condition=Q(role__in=Role.values)),
            models.CheckConstraint(name="staff_language", condition=Q(language__in=Language.values)),
            models.CheckConstraint(name="staff_appearance", condition=Q(appearance__in=Appearance.values)),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def short_name(self) -> str:
        """How colleagues name them on a board: title and family name."""
        return f"{self.title} {self.last_name}".strip() or self.username


class Chair(models.Model):
    """A treatment place. An inactive chair is not planned any more and keeps its history."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="chairs", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=40)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("chair")
        verbose_name_plural = _("chairs")
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="chair_name")]

    def __str__(self) -> str:
        return self.name


class OpeningHours(models.Model):
    """When a site is open on a weekday (0 is Monday), in local time. Several rows a day make a break."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="opening_hours", verbose_name=_("site"))
    weekday = models.PositiveSmallIntegerField(
        _("weekday"),
        choices=[
            (0, _("Monday")),
            (1, _("Tuesday")),
            (2, _("Wednesday")),
            (3, _("Thursday")),
            (4, _("Friday")),
            (5, _("Saturday")),
            (6, _("Sunday")),
        ],
    )
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        constraints = [
            models.CheckConstraint(
                name="opening_hours_order",
                condition=Q(opens__lt=F("closes")),
                violation_error_message=_("The site closes after it opens."),
            ),
            models.CheckConstraint(name="opening_hours_weekday", condition=Q(weekday__lte=6)),
            models.UniqueConstraint(fields=["site", "weekday", "opens"], name="opening_hours_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}-{self.closes:%H:%M}"


class SelfServiceHours(models.Model):
    """On which weekday (0 is Monday), between which local times, patients may move a visit to by themselves. The desk
    opens them; without any, a wish for another time goes to the desk."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="self_service_hours")
    weekday = models.PositiveSmallIntegerField(_("weekday"))
    opens = models.TimeField(_("first start"))
    closes = models.TimeField(_("last start"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="self_service_order",
                condition=Q(opens__lte=F("closes")),
                violation_error_message=_("The last start comes after the first."),
            ),
            models.CheckConstraint(name="self_service_weekday", condition=Q(weekday__lte=6)),
            models.UniqueConstraint(fields=["site", "weekday", "opens"], name="self_service_once"),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens:%H:%M}-{self.closes:%H:%M}"


class Closure(models.Model):
    """A time in which a whole site, or one chair of it, does not treat."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="closures", verbose_name=_("site"))
    chair = models.ForeignKey(
        Chair,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="outages",
        verbose_name=_("only this chair"),
    )
    during = DateTimeRangeField(_("during"))
    reason = models.CharField(_("reason"), max_length=200)

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        constraints = [
            models.CheckConstraint(name="closure_finite", condition=finite("during")),
        ]
        indexes = [models.Index(fields=["site"], name="closure_site")]
        triggers = [
            touches_days("closure_touches_days"),
            pgtrigger.Trigger(
                name="closure_flags_sessions",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="PERFORM flag_closed_sessions(NEW.site_id, NEW.chair_id, NEW.during); RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class Shift(models.Model):
    """When a staff member works where; for a prescriber also how many patients may be under care at once.

    Lowering a shift never refuses: the database flags the sessions that no longer fit (`needs_replan`).
    """

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="shifts", verbose_name=_("staff member"))
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shifts", verbose_name=_("site"))
    during = DateTimeRangeField(_("during"))
    patients_at_once = models.PositiveSmallIntegerField(
        _("patients at once"), default=4, validators=[MinValueValidator(0), MaxValueValidator(20)]
    )

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("shifts")
        constraints = [
            ExclusionConstraint(
                name="shift_of_one_person",
                expressions=[(same("staff"), RangeOperators.OVERLAPS), ("during", RangeOperators.OVERLAPS)],
                violation_error_message=_("This person already has a shift then."),
            ),
            models.CheckConstraint(name="shift_finite", condition=finite("during")),
            models.CheckConstraint(
                name="shift_within_a_day",
                condition=Q(during__endswith__lte=F("during__startswith") + timedelta(days=1)),
                violation_error_message=_("A shift lasts at most 24 hours."),
            ),
        ]
        # Asked with lower() and upper(): on a B-tree that is 25 times as fast as && on the exclusion constraint's.
        indexes = [
            models.Index("site", Func("during", function="lower"), name="shift_site_start"),
            models.Index("staff", Func("during", function="lower"), name="shift_staff_start"),
        ]
        triggers = [
            touches_days("shift_touches_days"),
            pgtrigger.Trigger(
                name="shift_flags_sessions",
                when=pgtrigger.After,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="PERFORM flag_unfit_sessions(OLD.staff_id, OLD.during); RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        start, end = (at.astimezone(self.site.zone) for at in (self.during.lower, self.during.upper))
        return f"{self.staff} {start:%Y-%m-%d %H:%M}-{end:%H:%M}"
