"""Every address of the JSON interface, below /api/v1/."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from clinic import tokens
from clinic.permissions import Verb, declare
from patients.api import people as patients
from patients.api import screening
from scheduling.api import courses, planning, sessions, today

app_name = "api"

urlpatterns = [
    path("token/", tokens.token, name="token"),
    path("schema/", declare(GET=Verb.SEE)(SpectacularAPIView.as_view()), name="schema"),
    path("patients/", patients.patients, name="patients"),
    path("patients/<int:pk>/", patients.patient, name="patient"),
    path("patients/<int:pk>/screening/", screening.screening, name="screening"),
    path("patients/<int:pk>/eligibility/", screening.eligibility, name="eligibility"),
    path("protocols/", planning.protocols, name="protocols"),
    path("protocols/<slug:code>/check/", planning.check, name="protocol-check"),
    path("courses/", courses.courses, name="courses"),
    path("courses/propose/", planning.propose_course, name="propose"),
    path("courses/<int:pk>/", courses.course, name="course"),
    path("courses/<int:pk>/sessions/", courses.sessions, name="course-sessions"),
    path("courses/<int:pk>/confirm/", courses.confirm, name="course-confirm"),
    path("courses/<int:pk>/cancel/", courses.cancel, name="course-cancel"),
    path("courses/<int:pk>/decide/", courses.decide, name="course-decide"),
    path("sessions/<int:pk>/", sessions.session, name="session"),
    path("sessions/<int:pk>/move/", sessions.move, name="session-move"),
    path("sessions/<int:pk>/cancel/", sessions.cancel, name="session-cancel"),
    path("sessions/<int:pk>/confirm/", sessions.confirm, name="session-confirm"),
    path("sessions/<int:pk>/no-show/", sessions.no_show, name="session-no-show"),
    path("sessions/<int:pk>/expect/", sessions.expect, name="session-expect"),
    path("board/", today.board, name="board"),
    path("board/version/", today.board_version, name="board-version"),
    path("reminders/", today.reminders, name="reminders"),
    path("worklist/", today.worklist, name="worklist"),
    path("worklist/<int:pk>/acknowledge/", today.acknowledge, name="worklist-acknowledge"),
]
