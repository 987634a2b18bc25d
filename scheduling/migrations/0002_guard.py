from django.db import migrations

from scheduling.models import guard


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0001_initial"), ("clinic", "0001_initial")]

    operations = [migrations.RunSQL(guard.create_all(), guard.drop_all())]
