"""What the visits of the demonstration left behind: past ones as rows, for they are many; today's by the verbs, at the
times at which nurses would have tapped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from clinic.local.demo.house import House
from clinic.models import Role, Staff
from scheduling.models import AdverseEvent, Session, SessionState, VisitRecord, VitalsRound
from scheduling.protocols.library import ESKETAMINE
from scheduling.visits import charting, treating
from scheduling.visits.treating import CHECKLIST, HISTORY, Escort

NOTHING_NEW = dict.fromkeys(HISTORY, False)
ESCORTS = ("Sister", "Husband", "Brother", "A friend", "Mother", "Daughter")
MINUTE = timedelta(minutes=1)

#: Minutes from the start of the dose to each round, with what the drug does to pressure and dissociation by then.
ROUNDS = (
    (-12, 0, 0),
    (10, 9, 1),
    (20, 17, 2),
    (30, 21, 3),
    (40, 22, 2),
    (70, 13, 1),
    (100, 6, 0),
    (155, 2, 0),
)


def weight_of(session: Session) -> Decimal:
    """What the patient weighs, in kg."""
    return Decimal(56 + session.patient_id * 7 % 41)


def dose_of(session: Session) -> tuple[Decimal, Decimal | None]:
    """The dose in mg, and in mg per kg where it goes by weight."""
    if session.course.protocol.protocol.drug == ESKETAMINE.drug:
        return Decimal(56 if session.number == 1 else 84), None
    return weight_of(session) / 2, Decimal("0.5")


def write_past(house: House, now: datetime) -> None:
    """Records and rounds of all visits that are over, in a few statements."""
    nurses = list(Staff.objects.filter(role=Role.NURSE).order_by("pk"))
    over = Session.objects.filter(state=SessionState.DISCHARGED).exclude(local_date=house.today)
    sessions = list(over.select_related("course__protocol").order_by("pk"))
    VisitRecord.objects.bulk_create(_record(session, nurses, house, now) for session in sessions)
    VitalsRound.objects.bulk_create(
        round_ for session in sessions for round_ in _rounds(session, nurses[session.pk % len(nurses)])
    )
    AdverseEvent.objects.bulk_create(
        AdverseEvent(
            session=session,
            type="Nausea" if session.pk % 2 else "Headache",
            onset=session.dose_ends_at,
            severity=1,
            action="Rest and water; gone before the patient left.",
            by=nurses[0],
            at=session.dose_ends_at,
        )
        for session in sessions
        if session.pk % 7 == 0
    )


def _record(session: Session, nurses: list[Staff], house: House, now: datetime) -> VisitRecord:
    first, second = nurses[session.pk % len(nurses)], nurses[(session.pk + 1) % len(nurses)]
    mg, mg_per_kg = dose_of(session)
    spray = mg_per_kg is None
    sent = spray and now - session.discharge_at > timedelta(days=4)
    return VisitRecord(
        session=session,
        changed=NOTHING_NEW,
        weight_kg=weight_of(session),
        last_food_at=session.starts_at - timedelta(hours=9),
        last_drink_at=session.starts_at - timedelta(hours=3),
        escort_name=ESCORTS[session.patient_id % len(ESCORTS)],
        escort_phone="(555) 010-0177",
        checked_in_by=first,
        drug=session.course.protocol.protocol.drug,
        lot=f"K{session.local_date:%y%m}",
        mg=mg,
        mg_per_kg=mg_per_kg,
        mg_given=mg,
        started_by=first,
        confirmed_by=second,
        ended_by=first,
        checklist=dict.fromkeys(CHECKLIST, True),
        signed_by=first,
        seen_by=second,
        form_sent_at=session.discharge_at + timedelta(days=1) if sent else None,
        form_sent_by=first if sent else None,
    )


def _rounds(session: Session, nurse: Staff) -> Iterable[VitalsRound]:
    rest = 114 + session.patient_id * 5 % 19
    for minutes, rise, far in ROUNDS:
        taken_at = session.dose_starts_at + minutes * MINUTE
        values = _values(rest + session.number % 3, rise, far)
        yield VitalsRound(session=session, taken_at=taken_at, by=nurse, at=taken_at, **values)


def _values(rest: int, rise: int, far: int) -> dict[str, int]:
    """A round in which the upper pressure is `rise` above that at rest."""
    return {
        "systolic": rest + rise,
        "diastolic": 70 + rest % 9 + rise // 2,
        "heart_rate": 64 + rest % 11 + rise // 2,
        "spo2": 98 - (rise > 15),
        "sedation": 5 - (far > 1),
        "dissociation": far,
    }


class Today:
    """One of today's visits, as far as it has come."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.nurse, self.second = Staff.objects.filter(role=Role.NURSE).order_by("pk")[:2]
        self.rest = 114 + session.patient_id * 5 % 19

    def tell(self, state: SessionState) -> None:
        """Tap every step up to this state, and measure as a nurse would; who monitors the spray is behind."""
        spray = self.session.course.protocol.protocol.drug == ESKETAMINE.drug
        self.check_in(new=state == SessionState.CHECKED_IN)
        if state == SessionState.CHECKED_IN:
            return
        began, ended = self.session.dose_starts_at, self.session.dose_ends_at
        self.measure(began - 8 * MINUTE)
        self.start(began)
        if state == SessionState.GIVING:
            self.measure(began + 10 * MINUTE, rise=66, action="The prescriber is here; measured again in five minutes.")
            return
        for minutes in (10, 20, 30):
            if not spray:
                self.measure(began + minutes * MINUTE, rise=minutes // 2, far=minutes // 10)
        treating.finish(actor=self.nurse, session=self.session, at=ended, now=ended)
        if state == SessionState.MONITORING:
            return
        for minutes in range(0, 120, 15):
            self.measure(ended + minutes * MINUTE, rise=max(0, 18 - minutes // 6), far=int(minutes < 45))
        free = ended + 121 * MINUTE
        self.measure(free, rise=1)
        if state == SessionState.DISCHARGED:
            treating.discharge(
                actor=self.nurse,
                session=self.session,
                checklist=dict.fromkeys(CHECKLIST, True),
                seen_by=self.second,
                at=free + 4 * MINUTE,
                now=free + 4 * MINUTE,
            )

    def check_in(self, *, new: bool) -> None:
        """Arrival at the planned time; `new`: the patient says that the blood pressure is treated now."""
        arrived = self.session.starts_at
        treating.check_in(
            actor=self.nurse,
            session=self.session,
            changed={**NOTHING_NEW, "pressure": new},
            weight_kg=weight_of(self.session),
            last_food_at=arrived - timedelta(hours=9),
            last_drink_at=arrived - timedelta(hours=3),
            escort=Escort(ESCORTS[self.session.patient_id % len(ESCORTS)], "(555) 010-0177"),
            at=arrived,
            now=arrived,
        )

    def start(self, at: datetime) -> None:
        """The dose, checked by a second nurse."""
        mg, mg_per_kg = dose_of(self.session)
        treating.start(
            actor=self.nurse,
            session=self.session,
            drug=self.session.course.protocol.protocol.drug,
            lot=f"K{at:%y%m}",
            mg=mg,
            mg_per_kg=mg_per_kg,
            confirmed_by=self.second,
            at=at,
            now=at,
        )

    def measure(self, at: datetime, *, rise: int = 0, far: int = 0, action: str = "") -> None:
        """A round, confirmed where a value is unusual."""
        values = _values(self.rest, rise, far)
        charting.record_vitals(
            actor=self.nurse,
            session=self.session,
            taken_at=at,
            systolic=values["systolic"],
            diastolic=values["diastolic"],
            heart_rate=values["heart_rate"],
            spo2=values["spo2"],
            sedation=values["sedation"],
            dissociation=values["dissociation"],
            action=action,
            confirmed=frozenset(values),
            now=at,
        )
