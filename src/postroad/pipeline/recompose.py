"""The exact octets of a delivery, made again from what is stored and proved by the digest of what was sent."""

from typing import Protocol

from postroad.model.composition import ComposeFailed, SigningKey
from postroad.model.errors import Refused
from postroad.model.ids import DeliveryId, ProjectId
from postroad.pipeline.dressing import Dresser
from postroad.pipeline.press import Press
from postroad.store import deliveries
from postroad.store.blobs import BlobMissing
from postroad.store.database import Database


class KeyCabinet(Protocol):
    """Knows every signing key that was ever used."""

    async def keys(self, project_id: ProjectId, identifiers: tuple[str, ...]) -> tuple[SigningKey, ...]:
        """Return the keys of these identifiers, retired ones too."""
        ...


class Recomposer:
    """Composes deliveries again."""

    def __init__(self, *, database: Database, dresser: Dresser, press: Press, cabinet: KeyCabinet) -> None:
        """Take what the first composition took."""
        self._database = database
        self._dresser = dresser
        self._press = press
        self._cabinet = cabinet

    async def __call__(self, project_id: ProjectId, delivery_id: DeliveryId) -> bytes:
        """Return the octets of a delivery: those of its last attempt, or of the next where none was made yet.

        Raises:
            Refused: `not_found`; or `gone`, when they cannot be made again as they were.
        """
        found = await self._database.read(lambda connection: deliveries.peek(connection, project_id, delivery_id))
        if found is None:
            raise Refused("not_found", "There is no such delivery.")
        lease, recipe, digest = found
        try:
            if recipe is None:
                dressed = await self._dresser.dress(lease)
                job, keys = dressed.job, dressed.keys
            else:
                job = await self._dresser.job(lease, recipe, None)
                keys = await self._cabinet.keys(project_id, recipe.signers)
        except BlobMissing:
            raise Refused("gone", "A file of this message is no longer kept.") from None
        outcome = (await self._press.compose([job], keys))[0]
        if isinstance(outcome, ComposeFailed):
            raise Refused("gone", outcome.detail)
        if digest is not None and outcome.sha256 != digest:
            raise Refused("gone", "The octets cannot be made again exactly as they were sent.")
        return outcome.octets
