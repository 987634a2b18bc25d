from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0009_mails"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(fields=["state", "at"], name="attempt_latest"),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(fields=["kind", "due_at", "id"], name="mail_of_kind"),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(condition=models.Q(("state", "due")), fields=["due_at", "id"], name="mail_waiting"),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(condition=models.Q(("state", "failed")), fields=["due_at", "id"], name="mail_failed"),
        ),
    ]
