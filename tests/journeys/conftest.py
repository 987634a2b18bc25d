"""Whole clinics, each in a folder of its own that nothing outlives."""

from tests.clinic.local.conftest import var

__all__ = ["var"]
