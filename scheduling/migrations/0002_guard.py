from django.db import migrations

from scheduling.models import guard


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0001_initial"), ("clinic", "0001_initial")]

    operations = [
        # The functions name columns that later migrations add; until then there are no rows to check.
        migrations.RunSQL("SET LOCAL check_function_bodies = off", migrations.RunSQL.noop),
        migrations.RunSQL(guard.create_all(), guard.drop_all()),
    ]
