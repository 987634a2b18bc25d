"""Rooms for evaluations."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from clinic.admin import SetUpAdmin, set_up
from scheduling.models import Room


@admin.register(Room, site=set_up)
class RoomAdmin(SetUpAdmin[Room]):
    """Where prescribers evaluate. One that is not used any more is made inactive."""

    fields = ["site", "name", "position", "active"]
    list_display = ["name", "site", "position", "active"]
    list_filter = ["site", "active"]
    ordering = ["site__name", "position", "name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        return super().get_queryset(request).select_related("site")

    def get_readonly_fields(self, request: HttpRequest, obj: Room | None = None) -> list[str]:
        """A room stays where it is: its evaluations are there."""
        return ["site"] if obj is not None else []
