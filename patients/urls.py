"""Addresses of patients' pages."""

from django.urls import path

from patients.views import people, screening

urlpatterns = [
    path("patients/", people.patients, name="patients"),
    path("patients/find/", people.find, name="patients-find"),
    path("patients/new/", people.new, name="patient-new"),
    path("patients/<int:patient_id>/", people.patient, name="patient"),
    path("patients/<int:patient_id>/screening/", screening.screening, name="screening"),
    path("patients/<int:patient_id>/screening/findings/", screening.findings, name="screening-findings"),
    path("patients/<int:patient_id>/edit/", people.edit, name="patient-edit"),
]
