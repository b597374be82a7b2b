"""Who may do what: projects, their API keys and their streams.

`Projects` are the tenants. `Keys` makes API keys (`secret` is their form: shown once, stored as a digest) and tells
on every request who calls, from `memory`, so that a revoked key is dead at once on this node and within five seconds on
all others. `Streams` gives each kind of mail its schedule. `bootstrap` makes the default project of a first start.
Whatever is changed is written to the audit in the same transaction. What a message may be is not decided here; that is
intake's.
"""

from postroad.features.accounts.bootstrap import development_key, ensure_default_project
from postroad.features.accounts.keys import Keys, NewKey
from postroad.features.accounts.projects import Projects
from postroad.features.accounts.streams import StreamChange, Streams, built_in_streams

__all__ = [
    "Keys",
    "NewKey",
    "Projects",
    "StreamChange",
    "Streams",
    "built_in_streams",
    "development_key",
    "ensure_default_project",
]
