"""Reads files that `dlpipe package encrypt` sealed, into memory. Needs the packages cryptography and pyrage.

This one file is dlpipe's own reader, and lies in every encrypted artefact beside the program that loads it. A sealed
file is:

    magic (16 bytes), length of the header (4 bytes, big-endian), header (JSON), chunks

Each chunk holds `chunk` bytes of the file, the last one up to as many, encrypted with AES-256-GCM: 16 bytes more. This
is the STREAM construction: the nonce of chunk i is a prefix (7 bytes), i (4 bytes), and 1 for the last chunk or 0
(1 byte), so that no chunk can be moved, left out, repeated or added. Key and prefix are derived (HKDF-SHA-256) from the
package's content key and the file's own salt. Whatever stands before the chunks goes into every chunk's tag.

Header: `chunk`; `name` of the file; `salt`; `package`, the SHA-256 of encrypted.json; `keys`, the content key as each
recipient can unwrap it: {"how": "age" or the name of an entry point of the group dlpipe.kms, "to": .., "wrapped": ..}.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, BinaryIO

import pyrage
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"dlpipe sealed 1\n"
ABOUT = "encrypted.json"
SUFFIX = ".sealed"
KMS = "dlpipe.kms"
TAG = 16
_LONGEST_HEADER = 1 << 20
_LARGEST_CHUNK = 1 << 26


class Refused(Exception):
    """The file is not what was sealed."""


class NoKey(Exception):
    """None of the keys given opens it."""


def load(folder: Path) -> dict[str, bytes]:
    """`open_folder` for a program whose first argument names the identity, or is `-`; ends it with a line that says why
    where that does not go."""
    try:
        if len(sys.argv) < 2:
            raise ValueError("the file with your age identity is missing (or `-`: a key management system has the key)")
        return open_folder(folder, identities_of(None if sys.argv[1] == "-" else Path(sys.argv[1])))
    except (Refused, NoKey, ValueError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def open_folder(folder: Path, identities: list[Any]) -> dict[str, bytes]:
    """Name -> content of every sealed file of an artefact, after checking that the plain ones are those of the time of
    sealing. identities: what `identities_of` reads. Raises Refused, NoKey, OSError."""
    names, package = check_plain(folder)
    found = {}
    for name in names:
        with _inside(folder, name + SUFFIX).open("rb") as file:
            found[name] = b"".join(opened(file, name, package, identities))
    return found


def check_plain(folder: Path) -> tuple[list[str], str]:
    """Names of the sealed files, and the SHA-256 of encrypted.json, once all plain files are found as they were. That
    encrypted.json itself is, the sealed files tell. Raises Refused, OSError."""
    about = (folder / ABOUT).read_bytes()
    said = _json(about, ABOUT)
    for name, sha256 in said["plain"].items():
        if hashlib.sha256(_read(folder, name)).hexdigest() != sha256:
            raise Refused(f"{name} is not as it was when the artefact was encrypted")
    return said["files"], hashlib.sha256(about).hexdigest()


def opened(file: BinaryIO, name: str, package: str, identities: list[Any]) -> Iterator[bytes]:
    """The content of one sealed file, chunk by chunk. What was given out is authentic, but is the whole file only when
    the end is reached without an error. Raises Refused, NoKey."""
    start = file.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if len(start) < len(MAGIC) + 4 or not start.startswith(MAGIC) or length > _LONGEST_HEADER:
        raise Refused(f"{name} is no sealed file, or its beginning was changed")
    text = file.read(length)
    header = _json(text, name)
    if (header["name"], header["package"]) != (name, package) or not 0 < header["chunk"] <= _LARGEST_CHUNK:
        raise Refused(f"{name} was sealed under another name, for another package, or its header was changed")
    key, prefix = derive(_unwrapped(header["keys"], identities, name), header["salt"])
    cipher, bound = AESGCM(key), bound_to(start + text)
    number, chunk = 0, file.read(header["chunk"] + TAG)
    while True:
        following = file.read(header["chunk"] + TAG)
        try:
            yield cipher.decrypt(nonce(prefix, number, last=not following), chunk, bound)
        except InvalidTag:
            raise Refused(f"{name} was changed: chunk {number} is not what was sealed there") from None
        if not following:
            return
        number, chunk = number + 1, following


def derive(content_key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Key and nonce prefix of a file."""
    made = HKDF(SHA256(), 39, salt, MAGIC).derive(content_key)
    return made[:32], made[32:]


def bound_to(start: bytes) -> bytes:
    """What every chunk is bound to besides its place: all that stands before the chunks."""
    return hashlib.sha256(start).digest()


def nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    """Of chunk `number`; there are at most 2**32."""
    return prefix + number.to_bytes(4, "big") + bytes([last])


def identities_of(path: Path | None) -> list[Any]:
    """The private keys in a file: age's (one a line, comments with #), or one of SSH. None where no file is given: then
    a key management system must unwrap. Raises ValueError, OSError."""
    if path is None:
        return []
    text = path.read_bytes()
    try:
        if text.startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(text)]
        lines = [line.strip() for line in text.decode().splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} holds no age identity and no SSH key: {error}") from None
    if not found:
        raise ValueError(f"{path} holds no age identity")
    return found


def _unwrapped(keys: list[dict[str, str]], identities: list[Any], name: str) -> bytes:
    failed = []
    for each in keys:
        try:
            wrapped = base64.b64decode(each["wrapped"], validate=True)
            if each["how"] != "age":
                return bytes(kms(each["how"]).unwrap(wrapped, each["to"]))
            if identities:
                return bytes(pyrage.decrypt(wrapped, identities))
            failed.append("no identity was given")
        except LookupError as error:
            failed.append(str(error))
        except (pyrage.DecryptError, ValueError) as error:
            failed.append(f"{each['how']}: {error}")
    raise NoKey(f"{name} cannot be opened: {'; '.join(failed)}")


def kms(name: str) -> Any:
    """A key management system's plug-in (dlpipe.contracts.kms). Raises LookupError where none of that name is there."""
    for point in entry_points(group=KMS, name=name):
        return point.load()()
    raise LookupError(f"no plug-in {name!r} for a key management system (entry points {KMS}) is installed")


def _json(text: bytes, name: str) -> Any:
    try:
        return _checked(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused(f"{name} is damaged, or was changed") from None


def _checked(said: Any) -> Any:
    """A header, or what encrypted.json holds, if it has the parts that are used; else an error that `_json` catches."""
    if "plain" in said:
        return {"plain": {str(k): str(v) for k, v in said["plain"].items()}, "files": [*map(str, said["files"])]}
    keys = [{part: str(each[part]) for part in ("how", "to", "wrapped")} for each in said["keys"]]
    header = {part: str(said[part]) for part in ("name", "package")} | {"salt": bytes.fromhex(said["salt"])}
    return {**header, "chunk": int(said["chunk"]), "keys": keys}


def _inside(folder: Path, name: str) -> Path:
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{name} leads out of the artefact")
    return place


def _read(folder: Path, name: str) -> bytes:
    try:
        return _inside(folder, name).read_bytes()
    except FileNotFoundError:
        raise Refused(f"{name} is missing") from None
