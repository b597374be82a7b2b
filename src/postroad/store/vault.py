"""Secrets at rest: sealed with AES-256-GCM under the installation's master key.

A sealed secret is version, key id, nonce, ciphertext and tag. The context it was sealed in (which row it belongs to)
is authenticated with it, so that a sealed key copied into another row does not open. The key id tells a changed master
key from damage, because the two have different remedies. Keys for other uses are derived, never shared.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from postroad.model.errors import Unavailable

KEY_OCTETS: Final = 32
NONCE_OCTETS: Final = 12
_VERSION: Final = b"\x01"
_ID_OCTETS: Final = 4
_HEAD: Final = len(_VERSION) + _ID_OCTETS + NONCE_OCTETS
SEALED_KEY_ID: Final = (len(_VERSION) + 1, _ID_OCTETS)
"""Where the identifier of the master key stands in what is sealed: its first octet, counted from 1, and how many."""
_RETRY_S: Final = 60


class MasterKeyError(Exception):
    """The file of the master key cannot be used; the text is a sentence for the operator."""


class Vault:
    """Seals and opens secrets under one master key."""

    __slots__ = ("_cipher", "_id", "_master_key")

    def __init__(self, master_key: bytes) -> None:
        """Take the master key, 32 octets."""
        if len(master_key) != KEY_OCTETS:
            raise ValueError("a master key has 32 octets")
        self._master_key = master_key
        self._cipher = AESGCM(self.derive("vault"))
        self._id = hashlib.sha256(b"postroad master key id:" + master_key).digest()[:_ID_OCTETS]

    @property
    def key_id(self) -> bytes:
        """What tells this master key from another, in all that was sealed under it."""
        return self._id

    def derive(self, purpose: str, octets: int = KEY_OCTETS) -> bytes:
        """Return a key of its own for another use, such as signing return paths; always the same for one purpose."""
        return HKDF(hashes.SHA256(), octets, salt=None, info=b"postroad:" + purpose.encode()).derive(self._master_key)

    def seal(self, plain: bytes, context: str, *, entropy: bytes | None = None) -> bytes:
        """Return `plain` sealed.

        Args:
            plain: The secret.
            context: Where it belongs, such as `dkim:dkim_01…`; the same must be given to `open`.
            entropy: 12 octets never used before; drawn here when not given.
        """
        nonce = secrets.token_bytes(NONCE_OCTETS) if entropy is None else entropy
        head = _VERSION + self._id + nonce
        return head + self._cipher.encrypt(nonce, plain, _VERSION + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return the secret.

        Raises:
            Unavailable: It was sealed under another master key (`master_key_changed`), or it is damaged or belongs to
                another context (`secret_unreadable`).
        """
        version, key_id, nonce = sealed[:1], sealed[1 : 1 + _ID_OCTETS], sealed[_HEAD - NONCE_OCTETS : _HEAD]
        if version == _VERSION and len(sealed) > _HEAD and key_id != self._id:
            raise Unavailable(
                "master_key_changed",
                "A stored secret was encrypted under another master key. Give the server the secrets.master_key it had "
                "before, or make new DKIM keys and webhook secrets.",
                retry_after_s=_RETRY_S,
            )
        try:
            return self._cipher.decrypt(nonce, sealed[_HEAD:], version + context.encode())
        except (InvalidTag, ValueError):
            raise Unavailable(
                "secret_unreadable",
                "A stored secret is damaged and cannot be decrypted. Restore the database, or make a new secret.",
                retry_after_s=_RETRY_S,
            ) from None


def decode_master_key(text: str) -> bytes:
    """Return the octets of a master key written in base64.

    Raises:
        MasterKeyError: It is not base64 of 32 octets.
    """
    try:
        octets = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != KEY_OCTETS:
        raise MasterKeyError("The master key is not base64 of 32 octets. Make one with: openssl rand -base64 32")
    return octets


def open_or_create_master_key(path: Path) -> bytes:
    """Return the master key that lies in a file, first making it when there is none; for `postroad dev`.

    The file is made whole or not at all, and only its owner can read it.

    Raises:
        MasterKeyError: What lies there is no key.
    """
    if not path.exists():
        create_private_file(path, base64.b64encode(secrets.token_bytes(KEY_OCTETS)).decode() + "\n")
    try:
        return decode_master_key(path.read_text("ascii"))
    except (MasterKeyError, UnicodeDecodeError) as problem:
        raise MasterKeyError(f"{path} does not hold a master key (base64 of 32 octets). Restore it.") from problem


def create_private_file(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, durably; one that is there already stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
