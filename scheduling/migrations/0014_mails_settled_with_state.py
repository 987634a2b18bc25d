from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # Apart from the rows that it holds for: PostgreSQL alters no table of which a row waits to be checked.
    dependencies = [
        ("scheduling", "0013_mails_settled"),
    ]

    operations = [
        migrations.AddConstraint(
            "mail",
            models.CheckConstraint(
                name="mail_settled_at",
                condition=Q(state="due", settled_at=None) | (~Q(state="due") & Q(settled_at__isnull=False)),
            ),
        ),
    ]
