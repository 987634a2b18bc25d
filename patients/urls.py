"""Addresses of patients' pages."""

from django.urls import path

from patients import views

urlpatterns = [
    path("patients/", views.patients, name="patients"),
    path("patients/find/", views.find, name="patients-find"),
    path("patients/new/", views.new, name="patient-new"),
    path("patients/<int:patient_id>/", views.patient, name="patient"),
    path("patients/<int:patient_id>/edit/", views.edit, name="patient-edit"),
]
