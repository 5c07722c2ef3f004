"""Elliptic-curve keys for signatures: PEM files, as OpenSSL makes them too."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from dlpipe.errors import UserError

PASSWORD = "DLPIPE_KEY_PASSWORD"  # noqa: S105 - the variable's name
# What the model signing format allows, each with its hash.
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_MAKE = "make a pair: dlpipe package keygen NAME"


def new_key() -> tuple[bytes, bytes]:
    """A private and a public key, PEM, on P-256. The private one is encrypted when DLPIPE_KEY_PASSWORD is set."""
    key = generate_private_key(SECP256R1())
    word = os.environ.get(PASSWORD, "").encode()
    how = BestAvailableEncryption(word) if word else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how), public_pem(key.public_key())


def private_key(path: Path) -> EllipticCurvePrivateKey:
    """Raises UserError when the file is not there, others may read it, it is no such key, or its password
    (DLPIPE_KEY_PASSWORD) is wrong."""
    word = os.environ.get(PASSWORD, "").encode()
    try:
        # A password for a key that has none is an error to the library; here the variable may be set for other keys.
        text = _read(path)
        key = load_pem_private_key(text, word if b"ENCRYPTED" in text and word else None)
    except TypeError:
        raise UserError(f"{path} is encrypted", hint=f"give its password in {PASSWORD}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        why = f"its password ({PASSWORD}) is wrong" if word and b"ENCRYPTED" in text else "it is no private key in PEM"
        raise UserError(f"{path} cannot be read: {why}", hint=_MAKE) from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in _HASHES:
        raise _other(path)
    _check_private(path)
    return key


def public_key(path: Path) -> EllipticCurvePublicKey:
    """Of a file with a public key. Raises UserError when it is not there, or no such key."""
    text = _read(path)
    try:
        key = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        secret = b"PRIVATE KEY" in text
        hint = "whoever verifies needs the public key only: the .pub file" if secret else _MAKE
        raise UserError(f"{path} is {'a private' if secret else 'no public'} key", hint=hint) from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise _other(path)
    return key


def hash_of(key: EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    """The hash that signatures on this key's curve are made over."""
    return _HASHES[key.curve.name]


def public_pem(key: EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key's PEM text, in hex: by this a signature says which key made it."""
    return hashlib.sha256(public_pem(key)).hexdigest()


def _check_private(path: Path) -> None:
    """As ssh does: a key of ours that others of this machine may read is nobody's alone. Raises UserError."""
    try:
        found = path.stat()
    except OSError:
        return  # reading it says what is wrong
    mode = found.st_mode
    if os.name == "posix" and found.st_uid == os.getuid() and stat.S_ISREG(mode) and mode & 0o077:
        raise UserError(
            f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}), so it is no private key any more",
            hint=f"chmod 600 {shlex.quote(str(path))}, and think about who may have a copy",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"no key at {path}: {error.strerror}", hint=_MAKE) from None


def _other(path: Path) -> UserError:
    return UserError(f"{path} is not a key on P-256, P-384 or P-521, which model signing takes", hint=_MAKE)
