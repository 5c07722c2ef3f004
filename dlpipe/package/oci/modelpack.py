"""A package as CNCF's ModelPack lays it out: one uncompressed layer for each file, and a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dlpipe.contracts.json import canonical
from dlpipe.errors import BadModel, UserError
from dlpipe.package.contents import link_within
from dlpipe.package.described import Described
from dlpipe.package.oci.registry import MANIFEST

ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
FILEPATH = "org.cncf.model.filepath"
METADATA = "org.cncf.model.file.metadata+json"
LINKS = "dlpipe.links"  # ModelPack has no links: name -> where it points, as JSON
_KINDS = {
    "doc": ("*.md", "*.html", "*.sig", "LICENSES/*", "provenance.json", "bom.cdx.json", "report.json", "manifest.json"),
    "code": ("*.py", "*.c", "*.h", "runner", "lib/*"),
    "weight.config": ("*.json",),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A file in a registry: SHA-256 in hex, bytes."""

    name: str
    sha256: str
    size: int
    executable: bool


def manifest(
    package: Described, layers: list[Layer], links: Mapping[str, str], config: bytes, config_sha256: str
) -> bytes:
    """Its text: the same package gives the same bytes, and so the same digest."""
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": {"mediaType": CONFIG, "digest": f"sha256:{config_sha256}", "size": len(config)},
            "layers": [_layer(each) for each in layers],
            "annotations": {
                "org.opencontainers.image.title": package.name,
                "org.opencontainers.image.created": package.report["created"],
                LINKS: json.dumps(dict(links), sort_keys=True),
            },
        }
    )


def configuration(package: Described, layers: list[Layer]) -> bytes:
    report, artifacts = package.report, package.artifacts
    described: dict[str, Any] = {"format": "onnx"}
    if len(artifacts) == 1:
        described = {"format": artifacts[0]["backend"], "precision": artifacts[0]["variant"]}
    return canonical(
        {
            "descriptor": {
                "createdAt": report["created"],
                "name": package.name,
                "version": report["run"],
                "description": f"made by dlpipe {report['dlpipe_version']} from {report['source']['format']}",
            },
            "config": described,
            "modelfs": {"type": "layers", "diffIds": [f"sha256:{each.sha256}" for each in layers]},
        }
    )


def read(text: bytes, place: str) -> tuple[list[Layer], dict[str, str]]:
    """Layers and links of a manifest. Raises UserError where it is no ModelPack of files, BadModel where it is damaged
    or would write outside the folder that it is pulled to."""
    try:
        said = json.loads(text)
        if said.get("artifactType") != ARTIFACT:
            kind = said.get("artifactType") or said["mediaType"]
            raise UserError(f"{place} is no model package but {kind}", hint="dlpipe package push makes one")
        layers = [_read(each, place) for each in said["layers"]]
        named = json.loads((said.get("annotations") or {}).get(LINKS, "{}"))
        links = {_inside(name): link_within(name, str(target)) for name, target in named.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadModel(f"the manifest of {place} is damaged: {error}") from None
    names = [PurePosixPath(each) for each in (*(layer.name for layer in layers), *links)]
    above = {parent for name in names for parent in name.parents}
    if len(set(names)) < len(names) or above & set(names):
        raise BadModel(f"the manifest of {place} has several things under one name")
    return layers, links


def _read(layer: Mapping[str, Any], place: str) -> Layer:
    if not layer["mediaType"].endswith(".v1.raw"):
        raise UserError(f"{place} holds archives ({layer['mediaType']}): dlpipe pulls packages of plain files")
    algorithm, _, digest = layer["digest"].partition(":")
    if algorithm != "sha256" or len(digest) != 64:
        raise ValueError(f"no digest: {layer['digest']}")
    more = json.loads(layer["annotations"].get(METADATA, "{}"))
    return Layer(
        _inside(layer["annotations"][FILEPATH]), digest, int(layer["size"]), bool(int(more.get("mode", 0)) & 0o100)
    )


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or name == "." or "\0" in name or "\\" in name:
        raise ValueError(f"{name!r} is no name of a file in a package")
    return name


def _layer(layer: Layer) -> dict[str, Any]:
    about = {
        "name": layer.name,
        "mode": 0o755 if layer.executable else 0o644,
        "uid": 0,
        "gid": 0,
        "size": layer.size,
        "mtime": "1970-01-01T00:00:00Z",
        "typeflag": 48,  # tar's regular file
    }
    return {
        "mediaType": f"application/vnd.cncf.model.{_kind(layer.name)}.v1.raw",
        "digest": f"sha256:{layer.sha256}",
        "size": layer.size,
        "annotations": {FILEPATH: layer.name, METADATA: json.dumps(about, sort_keys=True)},
    }


def _kind(name: str) -> str:
    path = PurePosixPath(name)
    return next((kind for kind, patterns in _KINDS.items() if any(path.match(each) for each in patterns)), "weight")
