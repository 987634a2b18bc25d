from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0004_mail_in_order")]

    operations = [
        migrations.AddField("session", "expected_at", models.DateTimeField(null=True)),
        migrations.AddConstraint(
            "session",
            models.CheckConstraint(
                condition=Q(expected_at=None) | Q(during__startswith__lt=F("expected_at")), name="session_expected_at"
            ),
        ),
    ]
