"""Where the provider that carries our mails tells what became of them: one address for each provider that anymail can
read, `/mail-events/postmark/` and so on, there only while a secret is set (`ANYMAIL_WEBHOOK_SECRET`). Each request has
to bring it as its user and password; none is let in without, and nothing is told to anybody.
"""

from __future__ import annotations

from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from anymail.webhooks.base import AnymailBaseWebhookView
from anymail.webhooks.brevo import BrevoTrackingWebhookView
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.mailjet import MailjetTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.resend import ResendTrackingWebhookView
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView
from django.conf import settings
from django.urls import URLPattern, path

from clinic import clock
from clinic.permissions import ANYBODY, declare
from scheduling.mails import bounces

#: Those whose mails go by SMTP and whose events the secret alone protects. Mailgun also signs, by a key of its own.
_VIEWS: dict[str, type[AnymailBaseWebhookView]] = {
    "brevo": BrevoTrackingWebhookView,
    "mailjet": MailjetTrackingWebhookView,
    "postmark": PostmarkTrackingWebhookView,
    "resend": ResendTrackingWebhookView,
    "sparkpost": SparkPostTrackingWebhookView,
}


def patterns() -> list[URLPattern]:
    """The addresses that the settings open: none without a secret."""
    if not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        return []
    views = dict(_VIEWS)
    if settings.ANYMAIL.get("MAILGUN_WEBHOOK_SIGNING_KEY"):
        views["mailgun"] = MailgunTrackingWebhookView
    return [
        path(f"mail-events/{name}/", declare(POST=ANYBODY)(view.as_view()), name=f"mail-events-{name}")
        for name, view in sorted(views.items())
    ]


# Anymail hands an event over by a signal and in no other way. This is the one receiver of it, and the one signal here.
def _received(event: AnymailTrackingEvent, **_known: Any) -> None:
    bounces.received(event, now=clock.now())


tracking.connect(_received, dispatch_uid="mail-events")
