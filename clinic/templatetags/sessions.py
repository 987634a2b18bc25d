"""What pages say about the session in which somebody works."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def idle_seconds() -> int:
    """How long a page may rest at least after it was loaded; see `clinic.sessions.IdleTimeoutMiddleware`."""
    return max(1, int(settings.SESSION_COOKIE_AGE) - 60)
