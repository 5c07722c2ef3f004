"""What a Keras file says of itself: its architecture, the Keras that wrote it, and where its weights are."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

LARGEST_TEXT = 256 << 20  # bytes of an architecture
WEIGHTS = (".h5", ".hdf5", ".keras")

Config = dict[str, Any]


@dataclass
class Saved:
    """`config`: {"class_name", "config", ...} of the model. `weights`: the file with the weights, never None."""

    path: Path
    config: Config
    weights: Path
    version: str | None  # of the Keras that wrote it
    backend: str | None  # "tensorflow", "theano", "cntk", "jax", ...

    @property
    def generation(self) -> int:
        """1, 2 or 3. A file that does not say it was written before Keras 2 was."""
        major = (self.version or "1").split(".", maxsplit=1)[0]
        return int(major) if major.isdigit() else 3

    @property
    def is_whole(self) -> bool:
        """Whether one file holds architecture and weights."""
        return self.path == self.weights


def read(folder: str, entry: str) -> Saved:
    """Raises Refused for what is not a Keras model, or is one without its weights."""
    path = Path(folder, entry)
    if not path.is_file():
        raise Refused(f"there is no file {entry}")
    start = path.open("rb").read(8)
    if start.startswith(b"PK"):
        return _read_zip(path)
    if start == b"\x89HDF\r\n\x1a\n":
        return _read_hdf5(path)
    return _read_text(path)


def _read_zip(path: Path) -> Saved:
    try:
        with zipfile.ZipFile(path) as archive:
            config = _parse(_member(archive, "config.json", path), path)
            metadata = json.loads(_member(archive, "metadata.json", path))
            if "model.weights.h5" not in archive.namelist():
                raise Refused(f"{path.name} holds no weights (model.weights.h5)")
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, RecursionError) as error:
        raise Refused(f"{path.name} is not a whole .keras archive: {error}") from None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return Saved(path, config, path, str(version) if version else None, None)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise Refused(f"{path.name} is a zip without {name}: it is no Keras model") from None
    if info.file_size > LARGEST_TEXT:
        raise Refused(f"{name} in {path.name} claims {info.file_size:,} bytes")
    return archive.read(info)


def _read_hdf5(path: Path) -> Saved:
    attributes = hdf5_attributes(path)
    if "model_config" not in attributes:
        raise Refused(
            f"{path.name} holds weights only, no architecture",
            kind="unsupported",
            hint="give the architecture: a .json file made by model.to_json(), with this file beside it",
        )
    config = _parse(attributes["model_config"].encode(), path)
    return Saved(path, config, path, attributes.get("keras_version"), attributes.get("backend"))


def hdf5_attributes(path: Path) -> dict[str, str]:
    """model_config, keras_version and backend, as far as the file has them; of a whole model or of weights alone."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            places = [file, *([file["model_weights"]] if "model_weights" in file else [])]
            found = {}
            for name in ("model_config", "keras_version", "backend"):
                values = [place.attrs[name] for place in places if name in place.attrs]
                if values:
                    value = values[0]
                    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
                    found[name] = text.decode("utf-8", "replace")
            return found
    except (OSError, KeyError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise Refused(f"{path.name} is not a whole HDF5 file: {error}", hint="is the copy complete?") from None


def _read_text(path: Path) -> Saved:
    if path.stat().st_size > LARGEST_TEXT:
        raise Refused(f"{path.name} is too large to be an architecture")
    config = _parse(path.read_bytes(), path)
    weights = _weights_beside(path)
    written = hdf5_attributes(weights) if weights.suffix != ".keras" else {}
    version = config.get("keras_version") or written.get("keras_version")
    backend = written.get("backend") or config.get("backend")
    return Saved(path, config, weights, str(version) if version else None, backend)


def _weights_beside(path: Path) -> Path:
    """The one file of weights in the folder, or the one of the architecture's own name."""
    found = sorted(each for each in path.parent.iterdir() if each.suffix in WEIGHTS)
    own = [each for each in found if each.name.startswith((path.stem + "_", path.stem + "."))]
    if len(own) == 1 or len(found) == 1:
        return own[0] if len(own) == 1 else found[0]
    if found:
        raise Refused(
            f"{path.name} is an architecture, and several files beside it may hold its weights: "
            + ", ".join(each.name for each in found),
            kind="unsupported",
            hint=f"call the right one {path.stem}.weights.h5",
        )
    raise Refused(
        f"{path.name} is an architecture without weights",
        kind="unsupported",
        hint=f"put the file made by model.save_weights() beside it, as {path.stem}.weights.h5",
    )


def _parse(text: bytes, path: Path) -> Config:
    try:
        found = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the architecture in {path.name} cannot be read: {error}") from None
    if not isinstance(found, dict) or "class_name" not in found or not isinstance(found.get("config"), dict | list):
        raise Refused(f"{path.name} describes no Keras model: it has no class_name and config")
    return found


def _yaml(text: bytes) -> Any:
    """Keras wrote tuples as `!!python/tuple`; every other tag that makes objects is refused."""
    import yaml

    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("tag:yaml.org,2002:python/tuple", loader.construct_sequence)
    try:
        return yaml.load(text, loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
