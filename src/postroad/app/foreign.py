"""Secrets in the store that this master key does not open: after a restore, or on a node that was given another key."""

from postroad.app.house import House
from postroad.store.facts import sealed_by_others


async def foreign_secrets(house: House) -> str | None:
    """Return a sentence about secrets that were sealed under another master key; None where there are none.

    A command without a server may have no master key at all, which is told elsewhere.

    Raises:
        Unavailable: the store is away.
    """
    if house.settings.secrets.master_key is None and not house.dev:
        return None
    count = await house.database.read(lambda connection: sealed_by_others(connection, house.vault.key_id))
    if not count:
        return None
    return (
        f"{count} DKIM keys and webhook secrets were encrypted under another master key, and cannot be used. Give the "
        "server the secrets.master_key that it had before, the same on every node; if it is lost, make new DKIM keys "
        "(`postroad domain rotate`) and webhook secrets (`postroad webhook rotate`)."
    )
