"""DKIM key pairs: made, sealed, opened."""

from typing import Final

from postroad.model.clock import Instant, to_datetime
from postroad.model.composition import SigningKey
from postroad.model.domain import DkimKey, Domain, KeyState
from postroad.model.ids import DkimKeyId, Mint
from postroad.store.vault import Vault
from postroad.wire import dkim

_LETTERS: Final = {dkim.Algorithm.RSA_SHA256: "r", dkim.Algorithm.ED25519_SHA256: "e"}
Private = dict[dkim.Algorithm, dkim.PrivateKey]


def generate() -> Private:
    """Make a private key of each algorithm. RSA takes tenths of a second: call it away from the event loop."""
    return {algorithm: dkim.generate(algorithm) for algorithm in _LETTERS}


def selector(prefix: str, number: int, at: Instant, algorithm: dkim.Algorithm) -> str:
    """Return a selector such as `pr1-202611r`: which pair of the domain's, from when, and of which algorithm."""
    return f"{prefix}{number}-{to_datetime(at):%Y%m}{_LETTERS[algorithm]}"


def sealed_pair(
    private: Private, domain: Domain, number: int, prefix: str, *, at: Instant, vault: Vault, mint: Mint
) -> list[DkimKey]:
    """Return the keys as they are stored, waiting to be seen in DNS."""
    made: list[DkimKey] = []
    for algorithm, key in private.items():
        key_id = DkimKeyId(mint("dkim"))
        made.append(
            DkimKey(
                id=key_id,
                project_id=domain.project_id,
                domain_id=domain.id,
                domain=domain.name,
                selector=selector(prefix, number, at, algorithm),
                number=number,
                algorithm=algorithm.value,
                state=KeyState.PENDING,
                sealed=vault.seal(dkim.private_der(key), _context(key_id)),
                public=dkim.public_record(key),
                created_at=at,
            )
        )
    return made


def opened(key: DkimKey, vault: Vault) -> SigningKey:
    """Return a key ready to sign with.

    Raises:
        Unavailable: it was sealed under another master key, or is damaged.
    """
    return SigningKey(
        id=key.id,
        domain=key.domain,
        selector=key.selector,
        algorithm=key.algorithm,
        private=vault.open(key.sealed, _context(key.id)),
    )


def _context(key_id: str) -> str:
    return f"dkim:{key_id}"
