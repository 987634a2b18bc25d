"""What the patient's pages say."""

from __future__ import annotations

import re

from django import template

register = template.Library()


@register.filter
def tel(phone: str) -> str:
    """The address that dials a number as people write it: `tel:+15550100100`."""
    return "tel:" + re.sub(r"[^\d+]", "", phone)
