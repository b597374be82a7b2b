"""The composition root: settings become a store, features and roles here, and nowhere else do they all meet.

`run` is a server's whole life. `administer` carries out one operation of the command line: through the administration
socket of the server that runs on the data directory, or on the store itself when none does.
"""

from postroad.config import Settings


def run(settings: Settings, *, dev: bool, roles: frozenset[str] | None) -> None:
    """Run a server until it is told to stop; see `server.run`."""
    from postroad.app import server

    server.run(settings, dev=dev, roles=roles)


def unusable_paths(settings: Settings) -> str | None:
    """Return what is wrong with the ways that mail is to take; see `routes.unusable_paths`."""
    from postroad.app import routes

    return routes.unusable_paths(settings)


def unusable_limits(settings: Settings) -> str | None:
    """Return what is wrong with the user's file of limits; see `traffic.unusable_limits`."""
    from postroad.app import traffic

    return traffic.unusable_limits(settings)


def administer(settings: Settings, operation: str, arguments: dict[str, object]) -> dict[str, object]:
    """Carry out one operation of the command line; see `administration.administer`."""
    from postroad.app import administration

    return administration.administer(settings, operation, arguments)
