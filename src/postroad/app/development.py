"""What `postroad dev` does differently: mail of a domain that nobody has set up is signed too, with keys of its own.

So the whole road runs for real from the first message. The keys lie in the data directory and are in no DNS.
"""

from pathlib import Path

from postroad.features.senders import Senders
from postroad.model.composition import SigningKey
from postroad.model.ids import ProjectId
from postroad.pipeline.dressing import Outfit
from postroad.store.vault import create_private_file
from postroad.wire import dkim

SELECTOR = "postroad-dev"
_PREFIX = "dev:"


class DevelopmentSenders:
    """The sending domains, and keys for those that there are not."""

    def __init__(self, senders: Senders, directory: Path) -> None:
        """Read the development keys from the data directory, making them at the first start."""
        self._senders = senders
        self._private = [
            (algorithm, _key(directory / f"dev-dkim-{algorithm.value}.pem", algorithm)) for algorithm in dkim.Algorithm
        ]

    async def outfit(self, project_id: ProjectId, domain: str) -> Outfit:
        """Return what mail from a domain is signed with, and the domain that its bounces come back to."""
        outfit = await self._senders.outfit(project_id, domain)
        return outfit if outfit.keys else Outfit(self._keys(domain), outfit.return_path_domain, outfit.require_tls)

    async def keys(self, project_id: ProjectId, identifiers: tuple[str, ...]) -> tuple[SigningKey, ...]:
        """Return keys by their identifiers and in their order."""
        stored = await self._senders.keys(project_id, tuple(i for i in identifiers if not i.startswith(_PREFIX)))
        known = {key.id: key for key in stored}
        for identifier in identifiers:
            if identifier.startswith(_PREFIX):
                known |= {key.id: key for key in self._keys(identifier.split(":")[1])}
        return tuple(known[identifier] for identifier in identifiers)

    def _keys(self, domain: str) -> tuple[SigningKey, ...]:
        return tuple(
            SigningKey(f"{_PREFIX}{domain}:{algorithm.value}", domain, f"{SELECTOR}-{n}", algorithm.value, private)
            for n, (algorithm, private) in enumerate(self._private)
        )


def _key(path: Path, algorithm: dkim.Algorithm) -> bytes:
    """Return the private key in a file as PKCS #8 DER, made when there is none."""
    if not path.exists():
        create_private_file(path, dkim.private_pem(dkim.generate(algorithm)).decode())
    return dkim.private_der(dkim.load_private_key(path.read_bytes()))
