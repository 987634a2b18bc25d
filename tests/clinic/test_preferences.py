"""What people choose for themselves."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from clinic.models import Appearance, Language, Staff
from tests.factories import SiteFactory, StaffFactory
from tests.pages import form_data, page, says, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def robin() -> Staff:
    return StaffFactory.create(username="robin", sites=[SiteFactory.create()])


def chosen(staff: Staff) -> tuple[str, str, bool]:
    staff = Staff.objects.get(pk=staff.pk)
    return staff.language, staff.appearance, staff.single_keys


def test_at_first_everything_is_as_browser_and_system_have_it(robin: Staff) -> None:
    client = signed_in(robin)
    answer = client.get("/preferences/")
    (html,) = page(answer).all("html")

    assert chosen(robin) == ("", "system", True)
    data = form_data(answer)
    assert {name: data[name] for name in ("language", "appearance", "single_keys")} == {
        "language": [""],
        "appearance": ["system"],
        "single_keys": ["on"],
    }
    assert (html.attributes["data-keys"], html.attributes["data-appearance"]) == ("on", "system")
    assert [link.attributes["href"] for link in page(answer).all("main")[0].all("a")] == ["/password/"]


def test_what_is_chosen_holds_on_every_page_and_for_oneself_only(robin: Staff) -> None:
    colleague = StaffFactory.create()
    client = signed_in(robin)
    answer = client.post("/preferences/", {"language": "es", "appearance": "dark"})
    (html,) = page(client.get("/patients/")).all("html")

    assert (answer.status_code, answer["Location"]) == (302, "/preferences/")
    assert (chosen(robin), chosen(colleague)) == (("es", "dark", False), ("", "system", True))
    assert [html.attributes[name] for name in ("lang", "data-keys", "data-appearance")] == ["es", "off", "dark"]


@pytest.mark.parametrize(
    "sent",
    [{}, {"language": "fr", "appearance": "dark"}, {"language": "es", "appearance": "pink"}],
    ids=["nothing", "another language", "another look"],
)
def test_what_is_not_offered_is_refused(robin: Staff, sent: dict[str, str]) -> None:
    answer = signed_in(robin).post("/preferences/", sent)

    assert (answer.status_code, chosen(robin)) == (422, ("", "system", True))
    assert says(answer, "strong") == ["Nothing was saved yet."]


def test_nothing_else_of_oneself_can_be_changed_there(robin: Staff) -> None:
    signed_in(robin).post("/preferences/", {"language": "es", "appearance": "light", "role": "manager", "title": "Dr."})
    robin.refresh_from_db()

    assert (robin.role, robin.title, robin.language) == ("desk", "", "es")


@pytest.mark.parametrize("column", [{"language": "fr"}, {"appearance": "pink"}])
def test_the_database_takes_no_other_value(robin: Staff, column: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Staff.objects.filter(pk=robin.pk).update(**column)


def test_the_choices_are_named() -> None:
    assert (Language.SPANISH.label, str(Appearance.SYSTEM.label)) == ("Español", "As the system")
