from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0010_deliveries"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="mail", name="mail_due"),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(condition=models.Q(("state", "due")), fields=["try_at", "id"], name="mail_due"),
        ),
    ]
