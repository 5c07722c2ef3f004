"""Packages: an output folder, or an artefact of it, with documents and a signature; and what the lineage keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from dlpipe.errors import UserError
from dlpipe.package import bom, card, contents, keys, provenance, signature
from dlpipe.package.contents import BOM, CARD, DOCUMENTS, PROVENANCE, SIGNATURE
from dlpipe.package.described import Described
from dlpipe.pipeline.lineage import PublicationEntry, users_lineage
from dlpipe.pipeline.output import MANIFEST
from dlpipe.pipeline.runnable import RUN_FILE, artifact_digest
from dlpipe.pipeline.store.disk import replace_durably, writing
from dlpipe.report.schema import Report
from dlpipe.report.scorecard import ancestors
from dlpipe.toolchains.manager import default_cache_dir

REPORT = "report.json"


def sign(folder: Path, key: Path) -> dict[str, Any]:
    """Write provenance, bill of materials and model card into a package, and then the signature over all of it.

    Raises UserError where the key is none, nothing is known of the package, its files are not those that dlpipe made
    (their provenance would be a lie), or it lies in a signed one, whose signature would break; an earlier signature
    stays as it is then. A package whose signing was cut short has no signature.
    """
    private = keys.private_key(key)
    folder = folder.resolve()
    if outer := next((each for each in folder.parents[:3] if (each / SIGNATURE).is_file()), None):
        raise UserError(f"{folder} lies in {outer}, which is signed as a whole", hint="copy it out, and sign the copy")
    with writing(folder, "the package"):
        _clear(folder)
        found = contents.read(folder).without(DOCUMENTS)
        package = describe(folder, found.files)
        documents = _documents(package, found.files)
        (folder / SIGNATURE).unlink(missing_ok=True)  # it speaks of other documents from here on
        digests = {name: _put(folder, name, text) for name, text in documents.items()}
        files = {**found.files, **digests}
        whole = contents.Contents({name: files[name] for name in sorted(files, key=PurePosixPath)}, found.links)
        _put(folder, SIGNATURE, signature.sign(whole, package.name, private))
    fingerprint = keys.fingerprint(private.public_key())
    record(package, "signed", str(folder), fingerprint)
    return {"package": str(folder), "name": package.name, "files": len(files), "key": fingerprint}


def describe(folder: Path, files: Mapping[str, str]) -> Described:
    """What is known of a package with these files (name -> SHA-256). Raises UserError where it is nothing, or the files
    are others than those that were made."""
    if (folder / RUN_FILE).is_file():
        return _artifact(folder)
    if (folder / REPORT).is_file() and (folder / MANIFEST).is_file():
        return _output(folder, files)
    raise UserError(
        f"{folder} is neither an output folder of `dlpipe convert` nor an artefact of one",
        hint="name OUT, or OUT/selected/TARGET",
    )


def record(package: Described, kind: str, place: str, identity: str) -> None:
    """Into the lineage, for every artefact of the package."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    users_lineage().record_publications(
        PublicationEntry(subject=each["digest"], kind=kind, place=place, identity=identity, created=now)
        for each in package.artifacts
    )


def _output(folder: Path, files: Mapping[str, str]) -> Described:
    report = Report.read(folder).model_dump(mode="json")
    try:
        made = {name: entry["sha256"] for name, entry in json.loads((folder / MANIFEST).read_bytes())["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / MANIFEST} is damaged", hint="convert the model again") from error
    if other := sorted(name for name, sha256 in made.items() if files.get(name) != sha256):
        raise _changed(folder, other)
    runtimes = {each["path"]: folder / each["path"] for each in report["artifacts"] if each["digest"]}
    return Described(_name(report), report, _runtimes(runtimes))


def _artifact(folder: Path) -> Described:
    digest = artifact_digest(str(folder))
    report = _report_of(folder, digest)
    artifact = next(each for each in report.artifacts if each.digest == digest)
    above = ancestors(report, artifact)  # others of the same run made other artefacts
    own = report.model_dump(mode="json")
    own["artifacts"] = [{**artifact.model_dump(mode="json"), "path": "."}]
    own["stages"] = [each for each in own["stages"] if each["id"] in above]
    name = f"{_name(own)}-{artifact.target}-{artifact.backend}-{artifact.variant}"
    return Described(name, own, _runtimes({".": folder}), contents.before_encryption(folder))


def _report_of(folder: Path, digest: str) -> Report:
    """Of the output folder that the artefact lies in, or else of the run that the lineage knows."""
    places = [each / REPORT for each in folder.parents[:3]]
    with suppress(LookupError):
        run = users_lineage().of_artifact(digest).run
        places.append(default_cache_dir() / "runs" / run / REPORT)
    for place in places:
        with suppress(UserError):
            report = Report.read(place)
            if any(each.digest == digest for each in report.artifacts):
                return report
    raise UserError(
        f"no run is known that made {folder} as it is now",
        hint="its files were changed, or it was made elsewhere: sign it there, or convert the model again",
    )


def _name(report: Mapping[str, Any]) -> str:
    return Path(report["source"]["path"]).stem or "model"


def _runtimes(folders: Mapping[str, Path]) -> dict[str, tuple[str, str]]:
    """What each artefact says that it needs to run."""
    found = {}
    for path, folder in folders.items():
        with suppress(OSError, ValueError, KeyError, TypeError):
            runtime = json.loads((folder / RUN_FILE).read_bytes())["runtime"]
            found[path] = (str(runtime["name"]), str(runtime["version"]))
    return found


def _documents(package: Described, files: Mapping[str, str]) -> dict[str, bytes]:
    statement = provenance.statement(package.report, files, package.encrypted)
    return {
        PROVENANCE: _json(statement),
        BOM: _json(bom.bill(package, files)),
        CARD: card.card(package).encode(),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _part(folder: Path, name: str) -> Path:
    return folder / f".dlpipe-{name}"


def _clear(folder: Path) -> None:
    """What a killed signing left."""
    for name in DOCUMENTS:
        _part(folder, name).unlink(missing_ok=True)


def _put(folder: Path, name: str, data: bytes) -> str:
    """A whole file or none. Returns its SHA-256."""
    replace_durably(folder / name, data, _part(folder, name))
    return hashlib.sha256(data).hexdigest()


def _changed(folder: Path, names: list[str]) -> UserError:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return UserError(
        f"{folder} is not as dlpipe made it: {', '.join(names[:3])}{more} changed",
        hint="convert the model again; what was changed since has no provenance to sign",
    )
