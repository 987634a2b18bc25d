"""Addresses of the pages about courses and sessions."""

from django.conf import settings
from django.urls import path, register_converter

from clinic.converters import DateConverter
from scheduling.views import (
    board,
    calendar,
    courses,
    evaluations,
    letter,
    mails,
    mail_events,
    new_course,
    portal,
    portal_form,
    portal_move,
    portal_stop,
    response,
    scores,
    sessions,
    sink,
    visit,
    worklist,
)

register_converter(DateConverter, "date")

urlpatterns = [
    path("", board.board, name="board"),
    path("board/<date:day>/", board.board, name="board-day"),
    path("board/<date:day>/version/", board.version, name="board-version"),
    path("calendar/", calendar.calendar, name="calendar"),
    path("calendar/<date:day>/", calendar.calendar, name="calendar-day"),
    path("calendar/<date:day>/version/", calendar.version, name="calendar-version"),
    path("calendar/<date:day>/starts/<int:session_id>/", calendar.starts, name="calendar-starts"),
    path("patients/<int:patient_id>/course/new/", new_course.new_course, name="new-course"),
    path("patients/<int:patient_id>/scores/new/", scores.new, name="score-new"),
    path("patients/<int:patient_id>/evaluation/new/", evaluations.new, name="evaluation-new"),
    path("evaluations/<int:evaluation_id>/", evaluations.evaluation, name="evaluation"),
    path("evaluations/<int:evaluation_id>/cancel/", evaluations.cancel, name="evaluation-cancel"),
    path("evaluations/<int:evaluation_id>/done/", evaluations.done, name="evaluation-done"),
    path("evaluations/<int:evaluation_id>/no-show/", evaluations.no_show, name="evaluation-no-show"),
    path("scores/<int:score_id>/", scores.score, name="score"),
    path("scores/<int:score_id>/see/", scores.see, name="score-see"),
    path("scores/<int:score_id>/void/", scores.void, name="score-void"),
    path("courses/<int:course_id>/", courses.course, name="course"),
    path("courses/<int:course_id>/add/", new_course.add_sessions, name="course-add"),
    path("courses/<int:course_id>/confirm/", courses.confirm, name="course-confirm"),
    path("courses/<int:course_id>/cancel/", courses.cancel, name="course-cancel"),
    path("courses/<int:course_id>/decide/", response.decide, name="course-decide"),
    path("courses/<int:course_id>/dates/", courses.dates, name="course-dates"),
    path("courses/<int:course_id>/letter/", letter.letter, name="course-letter"),
    path("sessions/<int:session_id>/move/", sessions.move, name="session-move"),
    path("sessions/<int:session_id>/cancel/", sessions.cancel, name="session-cancel"),
    path("sessions/<int:session_id>/confirm/", sessions.confirm, name="session-confirm"),
    path("sessions/<int:session_id>/no-show/", sessions.no_show, name="session-no-show"),
    path("sessions/<int:session_id>/expect/", sessions.expect, name="session-expect"),
    path("sessions/<int:session_id>/visit/", visit.visit, name="visit"),
    path("sessions/<int:session_id>/visit/review/", visit.review, name="visit-review"),
    path("sessions/<int:session_id>/visit/seen/", visit.seen, name="visit-seen"),
    path("sessions/<int:session_id>/visit/said/", visit.said, name="visit-said"),
    path("sessions/<int:session_id>/visit/rounds/<int:round_id>/void/", visit.void, name="visit-void"),
    path("sessions/<int:session_id>/visit/<slug:name>/", visit.act, name="visit-act"),
    path("dates/<str:token>/", portal.portal, name="portal"),
    path("dates/<str:token>/come/", portal.come, name="portal-come"),
    path("dates/<str:token>/call/", portal.call, name="portal-call"),
    path("dates/<str:token>/escort/", portal.escort, name="portal-escort"),
    path("dates/<str:token>/calendar/", portal.calendar, name="portal-calendar"),
    path("dates/<str:token>/address/", portal.address, name="portal-address"),
    path("dates/<str:token>/mails/", portal.mails, name="portal-mails"),
    path("dates/<str:token>/language/", portal.language, name="portal-language"),
    path("dates/<str:token>/not-mine/", portal.mine, name="portal-mine"),
    path("dates/<str:token>/move/", portal_move.move, name="portal-move"),
    path("dates/<str:token>/stop/", portal_stop.stop, name="portal-stop"),
    path("dates/<str:token>/form/", portal_form.form, name="portal-form"),
    path("dates/<str:token>/form/<int:step>/", portal_form.step, name="portal-form-step"),
    path("mails/", mails.mails, name="mails"),
    path("sessions/<int:session_id>/mails/", mails.session, name="session-mails"),
    path("courses/<int:course_id>/mails/", mails.course, name="course-mails"),
    path("worklist/", worklist.worklist, name="worklist"),
    path("worklist/version/", worklist.version, name="worklist-version"),
    path("worklist/<int:task_id>/acknowledge/", worklist.acknowledge, name="acknowledge"),
    path("worklist/<int:task_id>/assign/", worklist.assign, name="assign"),
    path("worklist/<int:task_id>/snooze/", worklist.snooze, name="snooze"),
]

urlpatterns += mail_events.patterns()

if settings.MAIL_SINK is not None:
    urlpatterns += [
        path("demo/mail/", sink.mailbox, name="mailbox"),
        path("demo/mail/<slug:name>/", sink.mail, name="mail"),
        path("demo/mail/<slug:name>/page/", sink.mail_page, name="mail-page"),
    ]
