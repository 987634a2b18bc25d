from __future__ import annotations

from django.db import migrations, models

# When a mail ended was not kept; it was not before it was made and due. The times that it told are those of the visit
# while they stand, and for a reminder about a visit that has moved what its own due time says.
FILL = """
UPDATE scheduling_mail
SET settled_at = COALESCE(sent_at, LEAST(GREATEST(created_at, due_at), now()))
WHERE state <> 'due';

UPDATE scheduling_mail AS mail
SET about_at = CASE
    WHEN mail.times_version = session.times_version THEN lower(session.during)
    WHEN mail.kind = 'two-hours' THEN mail.expires_at
    WHEN mail.kind = 'two-days' THEN mail.due_at + interval '2 days'
    WHEN mail.kind = 'preparation' THEN mail.due_at + interval '3 days'
    WHEN mail.kind = 'score-due' THEN mail.due_at + interval '1 day'
END
FROM scheduling_session AS session
WHERE session.id = mail.session_id;

UPDATE scheduling_mail AS mail
SET about_at = lower(evaluation.during)
FROM scheduling_evaluation AS evaluation
WHERE evaluation.id = mail.evaluation_id;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("scheduling", "0012_links_of_waiting_mails"),
    ]

    operations = [
        migrations.AddField("mail", "settled_at", models.DateTimeField(null=True)),
        migrations.AddField("mail", "about_at", models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
