"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from clinic import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("scheduling.api.urls")),
]

handler400 = "clinic.api.bad_request"
handler403 = "clinic.api.permission_denied"
handler404 = "clinic.api.not_found"
handler500 = "clinic.api.server_error"
