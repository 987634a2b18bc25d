"""In which language somebody reads: a staff member's own, otherwise the first of ours that the request asks for."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from clinic.models import Staff

#: Addresses that answer with numbers, to every open page every few seconds: nobody is looked up for a language.
WORDLESS = "/version/"


def language_of(request: HttpRequest) -> str:
    """The language of the answer. One rule for pages and for the interface: whoever has signed in and chosen a language
    reads it; everybody else, programs with a token among them, what `Accept-Language` says, and English otherwise."""
    asks_for_words = not request.path_info.endswith(WORDLESS)
    chosen = request.user.language if asks_for_words and isinstance(request.user, Staff) else ""
    return chosen or translation.get_language_from_request(request)


class LanguageMiddleware:
    """Answers each request in its reader's language, and leaves none behind for what the thread does next.

    Mails are not written in it: `scheduling/mails/emails.py` takes the patient's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(language_of(request)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        patch_vary_headers(response, ["Accept-Language"])
        return response
