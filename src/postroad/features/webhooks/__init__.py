"""Webhooks: a project's events, pushed to its URLs, signed as Standard Webhooks 1.0 has it.

`Webhooks` is what an owner does: make endpoints, rotate their secrets, look at what became of each event, replay. The
`Notifier` is the role that pushes; it is one more reader of the log, so an outage of any length loses nothing that the
log still keeps. What follows from each try is decided in `schedule`, what is sent is made in `payload`, and what it is
signed with lies in `secrets`. It never sends but through `features.egress`.
"""

from postroad.features.webhooks.endpoints import NewWebhook, Replay, WebhookChange, Webhooks
from postroad.features.webhooks.notifier import Notifier

__all__ = ["NewWebhook", "Notifier", "Replay", "WebhookChange", "Webhooks"]
