"""Packages to and from a registry."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlpipe.errors import GateFailed, UserError
from dlpipe.package import contents, keys, signature
from dlpipe.package.oci import modelpack
from dlpipe.package.oci.modelpack import Layer
from dlpipe.package.oci.reference import Reference
from dlpipe.package.oci.registry import Registry
from dlpipe.pipeline.output import output_folder
from dlpipe.pipeline.packages import describe, record

Say = Callable[[str], None]


def push(folder: Path, place: str, *, plain_http: bool = False, say: Say = lambda _: None) -> dict[str, Any]:
    """Upload a package, file by file; what the registry has is not sent again. The tag points to it only when all is
    there. Raises UserError where the package or the place is none, or the registry refuses."""
    reference, folder = Reference.parse(place), folder.resolve()
    found = contents.read(folder)
    package = describe(folder, found.files)
    signed = contents.SIGNATURE in found.files
    if signed and (changed := signature.stale((folder / contents.SIGNATURE).read_bytes(), found)):
        names = ", ".join(each.name for each in changed[:3])
        raise UserError(f"{folder} was changed since it was signed: {names}", hint="dlpipe package sign")
    layers = [_layer(folder, name, sha256) for name, sha256 in found.files.items()]
    config = modelpack.configuration(package, layers)
    config_sha256 = hashlib.sha256(config).hexdigest()
    text = modelpack.manifest(package, layers, found.links, config, config_sha256)
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    registry, sent = Registry(reference, plain_http=plain_http), 0
    for layer in {each.sha256: each for each in layers}.values():
        with (folder / layer.name).open("rb") as file:
            if registry.upload(f"sha256:{layer.sha256}", layer.size, file):
                sent += layer.size
                say(f"uploaded {layer.name}")
    registry.upload(f"sha256:{config_sha256}", len(config), io.BytesIO(config))
    registry.upload_manifest(reference.tag or (digest if reference.digest else "latest"), text)
    at = reference.at(digest)
    record(package, "pushed", place.removeprefix("oci://"), digest)
    return {"reference": at, "digest": digest, "files": len(layers), "sent_bytes": sent, "signed": signed}


def pull(
    place: str, out: Path, key: Path | None, *, plain_http: bool = False, say: Say = lambda _: None
) -> dict[str, Any]:
    """Download a package to `out`: complete and, where a public key is given, verified, or not there at all.

    Raises UserError as `push` does, BadModel where what comes is not what the digests say, GateFailed where the
    signature does not hold.
    """
    reference = Reference.parse(place)
    public = keys.public_key(key) if key is not None else None
    registry = Registry(reference, plain_http=plain_http)
    text, digest = registry.manifest(reference.wanted)
    layers, links = modelpack.read(text, place)
    with output_folder(out) as made:
        for layer in layers:
            _fetch(registry, layer, made / layer.name)
            say(f"downloaded {layer.name}")
        for name, target in links.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).symlink_to(target)
        if public is not None and (problems := signature.verify(made, public)):
            wrong = "; ".join(f"{each.name}: {each.how or each.kind}" for each in problems[:3])
            raise GateFailed(f"{place} is not what was signed: {wrong}", hint="nothing was kept; ask its maker")
    verified = public is not None
    return {"reference": reference.at(digest), "digest": digest, "files": len(layers), "verified": verified}


def _layer(folder: Path, name: str, sha256: str) -> Layer:
    status = (folder / name).stat()
    return Layer(name, sha256, status.st_size, bool(status.st_mode & 0o100))


def _fetch(registry: Registry, layer: Layer, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        registry.download(f"sha256:{layer.sha256}", layer.size, file)
    if layer.executable:
        place.chmod(0o755)
