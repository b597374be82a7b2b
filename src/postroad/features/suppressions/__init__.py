"""Suppressions: the addresses that a project no longer mails.

An entry has a cause, evidence and an author, and holds for the whole project or one stream. `listing` puts entries on
the list and takes them off, `transfer` reads and writes whole lists as CSV and JSON lines, `undoing` takes off in bulk
what an incident put there, `softening` suppresses mailboxes that stay full, for a while and with probes. The list is
asked at accept and once more at dispatch, in the store's own transactions. A complaint or a wish to unsubscribe never
ends by itself, and is taken off only with force, which the audit keeps.
"""

from postroad.features.suppressions.listing import ImportDefaults, Imported, NewSuppression, Suppressions
from postroad.features.suppressions.softening import Softening
from postroad.features.suppressions.transfer import Format, LineResult
from postroad.features.suppressions.undoing import Undoing, Undone

__all__ = [
    "Format", "ImportDefaults", "Imported", "LineResult", "NewSuppression", "Softening", "Suppressions", "Undoing",
    "Undone",
]  # fmt: skip
