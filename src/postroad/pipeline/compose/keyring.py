"""Signing keys at hand, each loaded once: reading a private key costs more than signing with it."""

from collections.abc import Iterable

from postroad.model import composition
from postroad.wire import dkim


class KeyRing:
    """The signing keys that jobs may name."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[composition.SigningKey] = ()) -> None:
        self._keys: dict[str, dkim.SigningKey] = {}
        for key in keys:
            self.add(key)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._keys

    def add(self, key: composition.SigningKey) -> None:
        """Put a key on the ring; one with the same identifier stays as it is.

        Raises:
            ValueError: It is no private key, or not of the algorithm that it claims.
        """
        if key.id in self._keys:
            return
        loaded = dkim.SigningKey(key.domain, key.selector, dkim.load_private_key(key.private))
        if loaded.algorithm != key.algorithm:
            raise ValueError("The signing key is not of the algorithm that it claims.")
        self._keys[key.id] = loaded

    def find(self, identifier: str) -> dkim.SigningKey:
        """Return a loaded key; a KeyError means that the caller left it out."""
        return self._keys[identifier]
