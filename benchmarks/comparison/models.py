"""A model of passes_table.toml, imported by dlpipe, with its samples in two parts that share none."""

from __future__ import annotations

import re
import tarfile
import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import ConvertRequest, import_options

from .workshop import BENCHMARKS, Workshop

_RATE = 16_000
_CLASSES = {"Silence": "_silence_", "Unknown": "_unknown_"}


@dataclass(frozen=True)
class Model:
    """`ir`, `calibration`, `train` and `evaluation` are digests of folders in the store; None where there is nothing to
    train on."""

    name: str
    settings: Mapping[str, Any]
    ir: str
    calibration: str
    train: str | None
    evaluation: str
    counts: Mapping[str, int]
    original: float | None  # accuracy of the original in its own framework, where dlpipe measured it
    framework: str


def prepare(shop: Workshop, name: str, settings: Mapping[str, Any], root: Path, *, seed: int, most: int) -> Model:
    """Raises DlpipeError where the model or its data cannot be had."""
    data = dict(settings["data"])
    with tempfile.TemporaryDirectory() as scratch:
        path = _data_path(shop, data, root, Path(scratch))
        proven = _imported(shop, settings, root, path, Path(scratch))
    outcomes = shop.session.executor.outcomes
    ir = outcomes[proven.imported.ir].output
    train_files = data.pop("train_files", None)
    samples = outcomes["samples"].output if path else _samples(shop, data, data.pop("files"), root, ir)
    count = settings.get("train", 0)
    common = {
        "calibration": settings["calibration"],
        "train": 0 if train_files else count,
        "evaluation": most,
        "seed": seed,
        "in_order": settings.get("in_order", False),
    }
    wanted = [part for part in ("calibration", "train", "evaluation") if part != "train" or common["train"]]
    parts = {part: shop.judge("part", {"part": part, **common}, samples=samples) for part in wanted}
    train = parts["train"].tree if "train" in parts else None
    if train_files:
        train = _samples(shop, data | {"limit": count}, train_files, root, ir)
    accuracy = outcomes.get("accuracy:reference")
    return Model(
        name,
        settings,
        ir,
        parts["calibration"].tree,
        train,
        parts["evaluation"].tree,
        {part: done.value["count"] for part, done in parts.items()},
        accuracy.value["value"] if accuracy else None,
        proven.imported.sniffed.framework,
    )


def place(shop: Workshop, root: Path, file: str) -> Path:
    """zoo/... lies in the repository, dataset-...:... in that toolchain, all else below `root`."""
    toolchain, colon, inside = file.partition(":")
    if colon:
        return shop.session.toolchains.ensure(toolchain).root / inside
    return BENCHMARKS.parent / file if file.startswith("zoo/") else root / file


def _samples(shop: Workshop, data: Mapping[str, Any], files: list[str], root: Path, ir: str) -> str:
    taken = {Path(file).name: place(shop, root, file) for file in files}
    return shop.judge("data", data, ir=ir, data=shop.take(taken)).tree


def _trained(shop: Workshop, settings: Mapping[str, Any], scratch: Path) -> Path:
    """A net that benchmarks/fashion_mnist/worker.py trains; the second time it comes from the store."""
    worker = BENCHMARKS / "fashion_mnist" / "worker.py"
    call = Call("pytorch", worker, "train", settings, resources=("dataset-fashion-mnist",))
    shop.session.store.export(shop.run(call).tree, scratch / "trained")
    return scratch / "trained" / "model.onnx"


def _imported(shop: Workshop, settings: Mapping[str, Any], root: Path, data: Path | None, scratch: Path) -> Proven:
    session = shop.session
    session.executor.forget(list(session.executor.outcomes))
    options = import_options(
        settings.get("input"), settings.get("output"), settings.get("shape"), False, settings.get("factory")
    )
    labels = settings["data"].get("labels")
    trained = settings.get("trained")
    file = _trained(shop, trained, scratch) if trained else place(shop, root, settings["file"])
    request = ConvertRequest(
        str(file),
        (),
        options=options,
        data=str(data) if data else None,
        labels=place(shop, root, labels) if labels else None,
    )
    return prove_import(session, request)


def _data_path(shop: Workshop, data: Mapping[str, Any], root: Path, scratch: Path) -> Path | None:
    """What dlpipe itself reads for the model; None where judge/datasets.py makes the samples."""
    if "clips" in data:
        return _clips(place(shop, root, data["clips"]), scratch / "clips")
    return place(shop, root, data["path"]) if "path" in data else None


def _clips(archive: Path, folder: Path) -> Path:
    """Raw 16-bit clips as a WAV folder with one sub-folder per class."""
    with tarfile.open(archive) as file:
        for member in file.getmembers():
            matched = re.fullmatch(r"tst_(\d+)_(\w+)_\d+\.bin", Path(member.name).name)
            content = file.extractfile(member)
            if matched is None or content is None:
                continue
            number, label = matched.groups()
            target = folder / _CLASSES.get(label, label.lower()) / f"{number}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(target), "wb") as clip:
                clip.setnchannels(1)
                clip.setsampwidth(2)
                clip.setframerate(_RATE)
                clip.writeframes(content.read())
    return folder
