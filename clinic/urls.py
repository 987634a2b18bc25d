"""Every address of the site."""

from django.urls import include, path

from clinic import health, signin
from clinic.admin import set_up
from clinic.permissions import ANYBODY, declare

urlpatterns = [
    path("healthz", declare(GET=ANYBODY)(health.healthz), name="healthz"),
    path("sign-in/", signin.sign_in, name="sign-in"),
    path("sign-out/", signin.sign_out, name="sign-out"),
    path("session/", signin.session, name="session"),
    path("preferences/", signin.preferences, name="preferences"),
    path("password/", signin.change_password, name="change-password"),
    path("site/", signin.choose_site, name="choose-site"),
    path("admin/", set_up.urls),
    path("", include("patients.urls")),
    path("", include("scheduling.urls")),
    path("api/v1/", include("scheduling.api.urls")),
]

handler400 = "clinic.api.bad_request"
handler403 = "clinic.api.permission_denied"
handler404 = "clinic.api.not_found"
handler500 = "clinic.outage.server_error"
