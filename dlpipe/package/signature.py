"""`model.sig`: a signature over every file, in the format of OpenSSF Model Signing 1.0.

A Sigstore bundle holds a DSSE envelope, that an in-toto statement, that the digests of all files. `model_signing verify
key` accepts it (with --allow_symlinks where the package has links). Its library is not used: 34 packages (TUF, OpenID,
time stamps) for what a local key does not need; the tests hold ours to it instead. Links, which that format passes
over, are a further field of the predicate.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey

from dlpipe.contracts.json import canonical
from dlpipe.package import contents, keys
from dlpipe.package.contents import SIGNATURE, Contents

STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_PAYLOAD = "application/vnd.in-toto+json"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not as it was signed; of the signature itself, `how` says what is wrong with it."""

    name: str
    kind: Literal["changed", "missing", "added", "signature"]
    how: str | None = None


def sign(found: Contents, name: str, key: EllipticCurvePrivateKey) -> bytes:
    """The content of `model.sig`. `name`: what the model is called, for information only."""
    payload = canonical(_statement(found, name))
    signature = key.sign(_encoded(payload), ECDSA(keys.hash_of(key.public_key())))
    return _bundle(payload, signature, keys.fingerprint(key.public_key()))


def _bundle(payload: bytes, signature: bytes, key: str) -> bytes:
    bundle = {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": key}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _PAYLOAD,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, indent=2).encode() + b"\n"


def verify(folder: Path, key: EllipticCurvePublicKey) -> list[Problem]:
    """What in a package is not as the holder of the key signed it. Raises UserError when it is no folder, or holds what
    no package does."""
    if not folder.is_dir():
        raise contents.no_folder(folder)
    if not (folder / SIGNATURE).is_file():  # a folder cannot be read, and a named pipe would be waited for
        return [Problem(SIGNATURE, "signature", "the package is not signed")]
    try:
        signed = _opened((folder / SIGNATURE).read_bytes(), key)
    except _DAMAGES as error:
        return [_damaged(error)]
    return _all_differences(signed, contents.read(folder))


def stale(signature: bytes, found: Contents) -> list[Problem]:
    """What of a package is not as its own signature says, whoever made that: no proof of anything, but enough to see
    that it has to be signed again."""
    try:
        return _all_differences(_listed(json.loads(_payload(json.loads(signature)))), found)
    except _DAMAGES as error:
        return [_damaged(error)]


def _all_differences(signed: Contents, found: Contents) -> list[Problem]:
    found = found.without(frozenset({SIGNATURE}))
    return _differences(signed.files, found.files) + _differences(signed.links, found.links)


# What reading a signature raises that is none.
_DAMAGES = (InvalidSignature, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)


def _damaged(error: Exception) -> Problem:
    how = str(error) if isinstance(error, _Refused) else "it is damaged, or what it signs was changed"
    return Problem(SIGNATURE, "signature", how)


class _Refused(ValueError):
    """A signature that says something else than wanted; its text is for the user."""


def _opened(text: bytes, key: EllipticCurvePublicKey) -> Contents:
    bundle = json.loads(text)
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    if hint != keys.fingerprint(key):
        raise _Refused(
            f"it was made with another key: {hint[:16]}..., and the one given is {keys.fingerprint(key)[:16]}..."
        )
    envelope = bundle["dsseEnvelope"]
    if (bundle["mediaType"], envelope["payloadType"]) != (_BUNDLE, _PAYLOAD):
        raise _Refused(f"dlpipe does not read {bundle['mediaType']} with {envelope['payloadType']}")
    payload = _payload(bundle)
    signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    key.verify(signature, _encoded(payload), ECDSA(keys.hash_of(key)))
    if text != _bundle(payload, signature, hint):  # not even what is around the signed part may be touched
        raise _Refused("it is not spelled as dlpipe writes it: changed, or another tool's (use `model_signing verify`)")
    return _listed(json.loads(payload))


def _payload(bundle: Mapping[str, Any]) -> bytes:
    return base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)


def _listed(statement: Mapping[str, Any]) -> Contents:
    """What a statement says that the package holds. Its author is known by now, so a wrong one is of another kind."""
    predicate = statement["predicate"]
    if (statement["_type"], statement["predicateType"]) != (STATEMENT, _PREDICATE):
        raise _Refused(f"the key signed something else: {statement['predicateType']}")
    how = predicate["serialization"]
    if (how["method"], how["hash_type"], how.get("ignore_paths")) != ("files", "sha256", [SIGNATURE]):
        raise _Refused("it was made with other settings than dlpipe's: use `model_signing verify`")
    files = {each["name"]: each["digest"] for each in predicate["resources"]}
    return Contents(files, predicate.get("links", {}))


def _statement(found: Contents, name: str) -> dict[str, Any]:
    root = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in found.files.values())).hexdigest()
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": _PREDICATE,
        "predicate": {
            # Links are allowed, since `selected/` has them: its library then takes no notice of links to folders.
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": True,
                "ignore_paths": [SIGNATURE],
            },
            "resources": [
                {"name": each, "algorithm": "sha256", "digest": digest} for each, digest in found.files.items()
            ],
            "links": dict(found.links),
        },
    }


def _encoded(payload: bytes) -> bytes:
    """What DSSE signs: the payload with its type and lengths before it."""
    return f"DSSEv1 {len(_PAYLOAD)} {_PAYLOAD} {len(payload)} ".encode() + payload


def _differences(signed: Mapping[str, str], found: Mapping[str, str]) -> list[Problem]:
    changed = [Problem(name, "changed") for name in signed if name in found and found[name] != signed[name]]
    missing = [Problem(name, "missing") for name in signed if name not in found]
    added = [Problem(name, "added") for name in found if name not in signed]
    return [*changed, *missing, *added]
