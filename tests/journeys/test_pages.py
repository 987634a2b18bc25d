"""What holds on every page alike: pages that belong to no other journey can be used by everybody, and all of them fit
when they speak a language whose words are longer."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from patients.models import Patient
from tests.journeys.desk import DESKTOP, NARROW, PHONE, SIZES, faults, fits, open_page, sign_in


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_pages_aside_can_be_used_by_everybody(
    chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, _ = open_page(chromium, live_server, size, bypass_csp=True)  # the checker is a script of our own
    sign_in(page)
    found = {}
    for path in ("/password/", "/nowhere/"):
        page.goto(path)
        fits(page)
        if faulty := faults(page):
            found[path] = faulty

    assert found == {}, json.dumps(found, indent=1)


@pytest.mark.parametrize("size", [DESKTOP, PHONE, NARROW], ids=["desktop", "phone", "narrow"])
def test_who_chooses_spanish_reads_it_on_every_page_and_every_page_fits(
    patient: Patient, chromium: Browser, live_server: LiveServer, size: tuple[int, int]
) -> None:
    page, complaints = open_page(chromium, live_server, size)
    sign_in(page, to="/preferences/")
    page.get_by_text("Español").click()
    page.get_by_role("button", name="Save preferences").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    for path, title in {
        "/": "Nuevo tratamiento",
        "/calendar/": "Calendario",
        "/patients/": "Pacientes",
        "/patients/new/": "Fecha de nacimiento",
        f"/patients/{patient.pk}/": "Correos",
        f"/patients/{patient.pk}/course/new/": "Reservar 6 visitas",
        "/worklist/": "Pendientes",
        "/preferences/": "Idioma",
        "/password/": "contraseña",
    }.items():
        page.goto(path)
        expect(page.locator("body")).to_contain_text(title)
        fits(page)

    assert complaints == []
