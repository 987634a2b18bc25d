from __future__ import annotations

from typing import Any

from django.db import migrations

from scheduling.mails import links


def give_links(apps: Any, schema_editor: Any) -> None:
    """Mails that were queued before there were links go out with one: let it open."""
    mails = apps.get_model("scheduling", "Mail").objects
    waiting = list(mails.filter(state="due", link_hash=None).only("pk", "seed"))
    for mail in waiting:
        mail.link_hash = links.digest(links.token(mail.seed))
    mails.bulk_update(waiting, ["link_hash"], batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0011_mails_in_turn"),
    ]

    operations = [
        migrations.RunPython(give_links, migrations.RunPython.noop),
    ]
