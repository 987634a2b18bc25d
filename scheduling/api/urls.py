"""Every address of the JSON interface, below /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from clinic import tokens
from clinic.permissions import Verb, declare
from patients.api import consents, screening
from patients.api import people as patients
from scheduling.api import courses, evaluations, mails, moves, planning, scores, sessions, today, visits

app_name = "api"

urlpatterns = [
    path("token/", tokens.token, name="token"),
    path("schema/", declare(GET=Verb.SEE)(SpectacularAPIView.as_view()), name="schema"),
    path("patients/", patients.patients, name="patients"),
    path("patients/<int:pk>/", patients.patient, name="patient"),
    path("patients/<int:pk>/consents/", consents.consents, name="consents"),
    path("patients/<int:pk>/screening/", screening.screening, name="screening"),
    path("patients/<int:pk>/eligibility/", screening.eligibility, name="eligibility"),
    path("patients/<int:pk>/scores/", scores.scores, name="scores"),
    path("patients/<int:pk>/evaluations/", evaluations.evaluations, name="evaluations"),
    path("evaluations/<int:pk>/cancel/", evaluations.cancel, name="evaluation-cancel"),
    path("evaluations/<int:pk>/done/", evaluations.done, name="evaluation-done"),
    path("evaluations/<int:pk>/no-show/", evaluations.no_show, name="evaluation-no-show"),
    path("scores/<int:pk>/see/", scores.see, name="score-see"),
    path("scores/<int:pk>/void/", scores.void, name="score-void"),
    path("protocols/", planning.protocols, name="protocols"),
    path("protocols/<slug:code>/check/", planning.check, name="protocol-check"),
    path("courses/", courses.courses, name="courses"),
    path("courses/propose/", planning.propose_course, name="propose"),
    path("courses/<int:pk>/", courses.course, name="course"),
    path("courses/<int:pk>/sessions/", courses.sessions, name="course-sessions"),
    path("courses/<int:pk>/confirm/", courses.confirm, name="course-confirm"),
    path("courses/<int:pk>/cancel/", courses.cancel, name="course-cancel"),
    path("courses/<int:pk>/decide/", courses.decide, name="course-decide"),
    path("courses/<int:pk>/progress/", scores.progress, name="course-progress"),
    path("sessions/<int:pk>/", sessions.session, name="session"),
    path("sessions/<int:pk>/move/", sessions.move, name="session-move"),
    path("sessions/<int:pk>/offers/", moves.offers, name="session-offers"),
    path("sessions/<int:pk>/cancel/", sessions.cancel, name="session-cancel"),
    path("sessions/<int:pk>/confirm/", sessions.confirm, name="session-confirm"),
    path("sessions/<int:pk>/no-show/", sessions.no_show, name="session-no-show"),
    path("sessions/<int:pk>/expect/", sessions.expect, name="session-expect"),
    path("sessions/<int:pk>/mails/", mails.session, name="session-mails"),
    path("sessions/<int:pk>/visit/", visits.visit, name="visit"),
    path("sessions/<int:pk>/check-in/", visits.check_in, name="visit-check-in"),
    path("sessions/<int:pk>/review/", visits.review, name="visit-review"),
    path("sessions/<int:pk>/start/", visits.start, name="visit-start"),
    path("sessions/<int:pk>/finish/", visits.finish, name="visit-finish"),
    path("sessions/<int:pk>/discharge/", visits.discharge, name="visit-discharge"),
    path("sessions/<int:pk>/chair/", visits.chair, name="visit-chair"),
    path("sessions/<int:pk>/prescriber/", visits.prescriber, name="visit-prescriber"),
    path("sessions/<int:pk>/undo/", visits.undo, name="visit-undo"),
    path("sessions/<int:pk>/not-dosed/", visits.not_dosed, name="visit-not-dosed"),
    path("sessions/<int:pk>/leave-early/", visits.leave_early, name="visit-leave-early"),
    path("sessions/<int:pk>/transfer/", visits.transfer, name="visit-transfer"),
    path("sessions/<int:pk>/vitals/", visits.vitals, name="visit-vitals"),
    path("sessions/<int:pk>/vitals/<int:round_>/void/", visits.void, name="visit-vitals-void"),
    path("sessions/<int:pk>/vitals/<int:round_>/action/", visits.action, name="visit-vitals-action"),
    path("sessions/<int:pk>/adverse-events/", visits.adverse_events, name="visit-adverse-events"),
    path("sessions/<int:pk>/addenda/", visits.addenda, name="visit-addenda"),
    path("sessions/<int:pk>/form/", visits.form, name="visit-form"),
    path("sites/self-service/", moves.self_service_hours, name="self-service"),
    path("board/", today.board, name="board"),
    path("board/version/", today.board_version, name="board-version"),
    path("reminders/", mails.reminders, name="reminders"),
    path("worklist/", today.worklist, name="worklist"),
    path("worklist/<int:pk>/acknowledge/", today.acknowledge, name="worklist-acknowledge"),
    path("worklist/<int:pk>/assign/", today.assign, name="worklist-assign"),
    path("worklist/<int:pk>/snooze/", today.snooze, name="worklist-snooze"),
]
