"""An artefact whose model only its recipients can read, and back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlpipe.errors import BadModel, Unsupported, UserError
from dlpipe.package import contents, sealed
from dlpipe.package.contents import DOCUMENTS, ENCRYPTED
from dlpipe.package.loaders import LOADERS, PROGRAM, Loader, kind_of, why_not
from dlpipe.package.sealing import Sealer
from dlpipe.pipeline.output import output_folder
from dlpipe.pipeline.packages import describe, record
from dlpipe.pipeline.runnable import RUN_FILE, artifact_digest

_READER = "sealed.py"


def encrypt(folder: Path, recipients: Iterable[str], out: Path) -> dict[str, Any]:
    """Write an artefact to `out` with its model encrypted, the reader and a program that loads it.

    Raises UserError where it is no artefact of dlpipe, a recipient is none or `out` is taken; Unsupported where the
    backend's runtime reads models from files only: they would lie on the device's disk after all.
    """
    folder, recipients = folder.resolve(), list(recipients)
    loader = _loader(folder)
    found = contents.read(folder).without(DOCUMENTS)
    package = describe(folder, found.files)
    names = [name for name in found.files if not loader.stays_plain(name)]
    with output_folder(out) as made:
        for name in found.files:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            if name not in names:
                shutil.copy(folder / name, made / name)
        shutil.copyfile(loader.program, made / PROGRAM)
        shutil.copyfile(sealed.__file__, made / _READER)
        about = _about(folder, made, names)
        (made / ENCRYPTED).write_bytes(about)
        sealer = Sealer(recipients, hashlib.sha256(about).hexdigest())
        for name in names:
            with (folder / name).open("rb") as source, (made / (name + sealed.SUFFIX)).open("wb") as target:
                sealer.seal(name, source, target)
    record(package, "encrypted", str(out.resolve()), ", ".join(recipients))
    return {"package": str(out), "encrypted": names, "recipients": recipients, "loader": PROGRAM}


def decrypt(folder: Path, identity: Path | None, out: Path) -> dict[str, Any]:
    """The artefact as it was before `encrypt`. identity: the file with the age or SSH key; None where a key management
    system unwraps. Raises UserError where none of the keys fits, BadModel where anything was changed."""
    folder = folder.resolve()
    before = contents.before_encryption(folder)
    if before is None:
        raise UserError(f"{folder} is not an encrypted artefact", hint="name what `dlpipe package encrypt` wrote")
    try:
        identities = sealed.identities_of(identity)
    except OSError as error:
        raise UserError(f"no key at {identity}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(str(error), hint="dlpipe package keygen NAME --encryption makes one") from None
    with output_folder(out) as made:
        try:
            sealed.check_plain(folder)
            for name in contents.read(folder).files:
                if name.endswith(sealed.SUFFIX):
                    _open(folder, name.removesuffix(sealed.SUFFIX), identities, made)
                elif name not in DOCUMENTS | {ENCRYPTED, PROGRAM, _READER}:
                    (made / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(folder / name, made / name)
        except sealed.NoKey as error:
            raise UserError(str(error), hint="give the identity of one of its recipients: --identity") from None
        except sealed.Refused as error:
            raise BadModel(f"{folder}: {error}", hint="get the package again from its maker") from None
        if artifact_digest(str(made)) != before["artifact"]:
            raise BadModel(f"{folder}: files are missing or were added", hint="get the package again from its maker")
    return {"artifact": str(out), "digest": before["artifact"], "decrypted": before["files"]}


def _open(folder: Path, name: str, identities: list[Any], made: Path) -> None:
    about = (folder / ENCRYPTED).read_bytes()
    place = made / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with (folder / (name + sealed.SUFFIX)).open("rb") as source, place.open("wb") as target:
        for chunk in sealed.opened(source, name, hashlib.sha256(about).hexdigest(), identities):
            target.write(chunk)
    if name in json.loads(about)["executable"]:
        place.chmod(0o755)


def _about(folder: Path, made: Path, names: list[str]) -> bytes:
    plain = contents.read(made).files
    said = {
        "schema": "dlpipe.encrypted/1",
        "artifact": artifact_digest(str(folder)),
        "files": names,
        "executable": [name for name in names if (folder / name).stat().st_mode & 0o100],
        "plain": dict(plain),
    }
    return json.dumps(said, indent=2).encode() + b"\n"


def _loader(folder: Path) -> Loader:
    if contents.before_encryption(folder) is not None:
        raise UserError(f"{folder} is encrypted already")
    try:
        how = json.loads((folder / RUN_FILE).read_bytes())
        kind, target = kind_of(how), how.get("target")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder} is no artefact of dlpipe", hint="name one of them: OUT/selected/TARGET") from error
    if kind not in LOADERS:
        raise Unsupported(
            f"{folder} ({kind}, {target}) cannot be encrypted: {why_not(kind)}",
            hint=f"these can: {', '.join(LOADERS)} (TVM: on processors)",
        )
    return LOADERS[kind]
