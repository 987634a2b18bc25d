"""Addresses of patients' pages."""

from django.urls import path

from patients.views import contact, people, screening

urlpatterns = [
    path("patients/", people.patients, name="patients"),
    path("patients/find/", people.find, name="patients-find"),
    path("patients/new/", people.new, name="patient-new"),
    path("patients/<int:patient_id>/", people.patient, name="patient"),
    path("patients/<int:patient_id>/screening/", screening.screening, name="screening"),
    path("patients/<int:patient_id>/screening/findings/", screening.findings, name="screening-findings"),
    path("patients/<int:patient_id>/edit/", people.edit, name="patient-edit"),
    path("patients/<int:patient_id>/consents/", contact.consents, name="patient-consents"),
    path("patients/<int:patient_id>/address/", contact.address, name="patient-address"),
    path("patients/<int:patient_id>/call-us/", contact.call_us, name="patient-call-us"),
]
