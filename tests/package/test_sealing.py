"""Sealed files: whatever is done to one, it is refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dlpipe.errors import UserError
from dlpipe.package import sealed
from dlpipe.package.sealing import Sealer, new_identity

CHUNK = 32
PACKAGE = "p" * 64
SECRET, RECIPIENT = new_identity()
IDENTITIES = [pyrage.x25519.Identity.from_str(SECRET)]


def seal(data: bytes, name: str = "model.bin", sealer: Sealer | None = None) -> bytes:
    target = io.BytesIO()
    (sealer or Sealer([RECIPIENT], PACKAGE)).seal(name, io.BytesIO(data), target, CHUNK)
    return target.getvalue()


def unseal(
    data: bytes, name: str = "model.bin", package: str = PACKAGE, identities: list[object] = IDENTITIES
) -> bytes:
    return b"".join(sealed.opened(io.BytesIO(data), name, package, identities))


def parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before the chunks, and the chunks."""
    start = len(sealed.MAGIC) + 4
    start += int.from_bytes(data[start - 4 : start], "big")
    return data[:start], [data[at : at + CHUNK + 16] for at in range(start, len(data), CHUNK + 16)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
def test_what_was_sealed_comes_back(size: int) -> None:
    data = bytes(range(256))[:size]
    assert unseal(seal(data)) == data
    assert len(parts(seal(data))[1]) == max(1, -(-size // CHUNK))


def test_any_flipped_bit_is_refused() -> None:
    whole = seal(bytes(range(100)))
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        with pytest.raises((sealed.Refused, sealed.NoKey)):
            unseal(bytes(changed))


def test_any_shortened_or_lengthened_file_is_refused() -> None:
    whole = seal(bytes(range(3 * CHUNK)))
    for length in range(len(whole)):
        with pytest.raises(sealed.Refused):
            unseal(whole[:length])
    for more in (b"\0", whole[-CHUNK - 16 :], parts(whole)[1][0]):
        with pytest.raises(sealed.Refused):
            unseal(whole + more)


def test_chunks_have_their_places() -> None:
    sealer = Sealer([RECIPIENT], PACKAGE)
    start, chunks = parts(seal(bytes(4 * CHUNK), sealer=sealer))
    _, others = parts(seal(bytes(4 * CHUNK), sealer=sealer))
    assert len({*chunks, *others}) == 8  # the same zeros, and no two alike
    first, second, third, last = chunks
    for wrong in (
        [second, first, third, last],
        [first, third, last],
        [first, second, second, third, last],
        [first, second, third],
        [first, second, last, third],
        [others[0], second, third, last],
    ):
        with pytest.raises(sealed.Refused):
            unseal(start + b"".join(wrong))


def test_a_file_has_its_name_and_its_package() -> None:
    whole = seal(b"weights")
    with pytest.raises(sealed.Refused, match="another name"):
        unseal(whole, name="other.bin")
    with pytest.raises(sealed.Refused, match="another package"):
        unseal(whole, package="q" * 64)


def test_the_format_is_as_described() -> None:
    """Read by what the docstring says alone."""
    data = bytes(range(100))
    start, chunks = parts(seal(data))
    header = json.loads(start[20:])
    (key,) = header["keys"]
    content_key = pyrage.decrypt(base64.b64decode(key["wrapped"]), IDENTITIES)
    made = HKDF(SHA256(), 39, bytes.fromhex(header["salt"]), b"dlpipe sealed 1\n").derive(content_key)
    found = b""
    for number, chunk in enumerate(chunks):
        nonce = made[32:] + number.to_bytes(4, "big") + bytes([number == len(chunks) - 1])
        found += AESGCM(made[:32]).decrypt(nonce, chunk, hashlib.sha256(start).digest())
    assert found == data
    assert (header["name"], header["chunk"], key["how"]) == ("model.bin", CHUNK, "age")


def test_every_recipient_can_open_it_and_nobody_else(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ssh"], check=True)
    (tmp_path / "age").write_text(f"# made today\n\n{SECRET}\n")
    whole = seal(b"weights", sealer=Sealer([RECIPIENT, (tmp_path / "ssh.pub").read_text()], PACKAGE))
    for name in ("ssh", "age"):
        assert unseal(whole, identities=sealed.identities_of(tmp_path / name)) == b"weights"
    with pytest.raises(sealed.NoKey, match="age"):
        unseal(whole, identities=[pyrage.x25519.Identity.generate()])
    with pytest.raises(sealed.NoKey, match="no identity was given"):
        unseal(whole, identities=[])


def test_what_is_no_recipient_or_no_identity_is_said(tmp_path: Path) -> None:
    for recipients, says in (
        ([], "nobody could decrypt it"),
        (["age1nonsense"], "is no recipient"),
        (["ssh-rsa nonsense"], "is no recipient"),
        (["vault:key"], "no plug-in 'vault'"),
    ):
        with pytest.raises(UserError, match=says):
            Sealer(recipients, PACKAGE)
    with pytest.raises(UserError) as caught:
        Sealer([SECRET], PACKAGE)
    assert "secret key" in str(caught.value.hint)
    assert SECRET[17:] not in caught.value.message
    for text in ("", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\n"):
        (tmp_path / "identity").write_text(text)
        with pytest.raises(ValueError, match="holds no age identity"):
            sealed.identities_of(tmp_path / "identity")


PLUGIN = '''
class Vault:
    """Not a real one: its keys are names."""
    def wrap(self, key, recipient):
        return recipient.encode() + bytes(b ^ 0x5A for b in key)
    def unwrap(self, wrapped, recipient):
        if not wrapped.startswith(recipient.encode()) or recipient == "revoked":
            raise ValueError("this machine may not")
        return bytes(b ^ 0x5A for b in wrapped[len(recipient):])
'''


def test_a_key_management_system_is_a_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vault_plugin.py").write_text(PLUGIN)
    (tmp_path / "vault-1.dist-info").mkdir()
    (tmp_path / "vault-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vault\nVersion: 1\n")
    (tmp_path / "vault-1.dist-info" / "entry_points.txt").write_text("[dlpipe.kms]\nvault = vault_plugin:Vault\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vault_plugin", raising=False)
    whole = seal(b"weights", sealer=Sealer(["vault:project/key-1", RECIPIENT], PACKAGE))
    assert unseal(whole) == unseal(whole, identities=[]) == b"weights"
    revoked = seal(b"weights", sealer=Sealer(["vault:revoked"], PACKAGE))
    with pytest.raises(sealed.NoKey, match="vault: this machine may not"):
        unseal(revoked)
