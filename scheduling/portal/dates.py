"""The dates that a link opens, as a file for a calendar."""

from __future__ import annotations

from datetime import datetime

from scheduling.mails import calendars, letters
from scheduling.portal.access import Access


def calendar(access: Access, *, now: datetime) -> str:
    """What is to come, one entry each, in the words of the mails; an entry that a mail has brought is replaced."""
    if access.evaluation is not None:
        visits = [letters.evaluation_of(access.evaluation)]
    else:
        sessions = access.sessions or ((access.session,) if access.session else ())
        visits = [letters.visit_of(session, session.course) for session in sessions]
    return calendars.published(visits, host=letters.host_of(access.site), now=now)
