"""Setting up what courses are planned by: closures, shifts, rooms, protocols. Managers only, see `clinic/admin.py`.

Sessions, courses and patients are not here: only the verbs change them.
"""

from scheduling.admin import closures, protocols, rooms, shifts

__all__ = ["closures", "protocols", "rooms", "shifts"]
