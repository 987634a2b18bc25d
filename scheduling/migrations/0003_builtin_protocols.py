from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from scheduling.protocols import library


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("scheduling", "ProtocolVersion").objects.bulk_create(
        [
            apps.get_model("scheduling", "ProtocolVersion")(
                code=protocol.code, version=protocol.version, name=protocol.name, data=library.to_data(protocol)
            )
            for protocol in library.builtin()
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0002_guard")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
