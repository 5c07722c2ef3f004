"""Seals files for recipients; `sealed.py` says how, and reads them.

The content key is wrapped by age (X25519 or SSH keys), or by a key management system. Whoever knows a recipient's
public key can seal for it: that a package comes from you is what its signature says.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from typing import BinaryIO

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dlpipe.contracts.json import canonical
from dlpipe.errors import UserError
from dlpipe.package import sealed

CHUNK = 1 << 20


def new_identity() -> tuple[str, str]:
    """An age identity, which is secret, and the recipient that belongs to it."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


class Sealer:
    """Seals the files of one package. recipients: `age1...`, `ssh-ed25519 ...`, or NAME:KEY for the plug-in NAME of a
    key management system. package: SHA-256 of encrypted.json. Raises UserError where a recipient is none."""

    def __init__(self, recipients: Iterable[str], package: str) -> None:
        self._content_key = secrets.token_bytes(32)
        self._package = package
        self._keys = _wrapped(self._content_key, list(recipients))

    def seal(self, name: str, source: BinaryIO, target: BinaryIO, chunk: int = CHUNK) -> None:
        """Raises OSError. chunk: bytes; memory for two of them is needed."""
        salt = secrets.token_bytes(32)
        header = canonical(
            {"name": name, "package": self._package, "chunk": chunk, "salt": salt.hex(), "keys": self._keys}
        )
        start = sealed.MAGIC + len(header).to_bytes(4, "big") + header
        key, prefix = sealed.derive(self._content_key, salt)
        cipher, bound = AESGCM(key), sealed.bound_to(start)
        target.write(start)
        number, block = 0, source.read(chunk)
        while True:
            following = source.read(chunk)
            target.write(cipher.encrypt(sealed.nonce(prefix, number, last=not following), block, bound))
            if not following:
                return
            number, block = number + 1, following


def _wrapped(key: bytes, recipients: list[str]) -> list[dict[str, str]]:
    """By age once for all of its recipients, by each key management system for itself."""
    if not recipients:
        raise UserError(
            "nobody could decrypt it", hint="--to age1...; `dlpipe package keygen NAME --encryption` makes one"
        )
    managed = [each for each in recipients if ":" in each and not each.startswith("ssh-")]
    public = [_recipient(each) for each in recipients if each not in managed]
    found = []
    if public:
        found.append({"how": "age", "to": "", "wrapped": _text(pyrage.encrypt(key, public))})
    for each in managed:
        how, _, to = each.partition(":")
        try:
            plug = sealed.kms(how)
        except LookupError as error:
            raise UserError(str(error), hint="install the package that has it") from None
        found.append({"how": how, "to": to, "wrapped": _text(plug.wrap(key, to))})
    return found


def _recipient(text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError as error:
        hint = (
            "that is a secret key! give its public part" if "SECRET" in text.upper() else "age1..., ssh-..., or KMS:KEY"
        )
        raise UserError(f"{text[:16]}... is no recipient: {error}", hint=hint) from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
