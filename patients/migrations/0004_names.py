import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

from patients import names


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0003_phone_end"),
    ]

    operations = [
        migrations.RunSQL(names.CREATE, names.DROP),
        migrations.AddIndex(
            model_name="patient",
            index=django.contrib.postgres.indexes.GinIndex(
                models.Func(
                    models.F("last_name"),
                    models.F("first_name"),
                    function="name_vector",
                    output_field=django.contrib.postgres.search.SearchVectorField(),
                ),
                fastupdate=False,
                name="patient_names",
            ),
        ),
        migrations.RemoveIndex(model_name="patient", name="patient_first_name"),
    ]
