"""The HTTP door of a house."""

from postroad.app.house import House
from postroad.app.metrics import collect
from postroad.http import server
from postroad.http.door import Door
from postroad.http.services import Services


def http_door(house: House) -> Door:
    """Return the ASGI application over a house."""
    collect(house.metrics, house)
    return server.build(
        Services(
            database=house.database,
            clock=house.clock,
            mint=house.mint,
            settings=house.settings,
            keys=house.keys,
            intake=house.intake,
            senders=house.senders,
            blobs=house.blobs,
            recompose=house.recompose,
            event_signal=house.told,
            projects=house.projects,
            streams=house.streams,
            domains=house.senders,
            suppressions=house.suppressions,
            undoing=house.undoing,
            webhooks=house.webhooks,
            queue=house.queue,
            suspending=house.suspending,
            guard=house.guard,
            sites=house.sites,
            suspensions=house.suspensions,
            tls_reports=house.transport.reports,
            time=house.time,
            token_key=house.vault.derive("tokens"),
            due=house.due,
            gate=house.room.gate,
            readiness=house.readiness,
            metrics=house.metrics,
        )
    )
