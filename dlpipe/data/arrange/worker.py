"""Operations on folders of samples and outputs. Runs in the toolchain `core`: numpy only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation
from numpy.typing import NDArray

from .bind import bind
from .labels import map_labels

ARRAYS = ("samples.npz", "outputs.npz")
MAX_RESULTS = 1000


@operation
def prepare(request: Request) -> dict[str, Any]:
    """See `prepare_call`. Raises Refused where the data does not fit the model's inputs."""
    contract = json.loads((Path(request.inputs["ir"]) / "contract.json").read_text(encoding="utf-8"))
    folder = Path(request.inputs["data"])
    if not (folder / "samples.npz").is_file():
        kind = _labels(folder).get("kind", "items")
        raise Refused(
            f"the data holds {kind} files, and the model takes tensors: it carries no preprocessing for them",
            kind="unsupported",
            hint="give pictures of one size, or the features as .npz (x, y)",
        )
    with np.load(folder / "samples.npz", allow_pickle=False) as stored:
        bound = bind(stored, contract["inputs"], pictures=_labels(folder).get("kind") == "image")
    count = len(next(iter(bound.values())))
    chosen = _choose(count, request.params["limit"], request.params["seed"])
    labels = _labels(folder)
    if labels:
        mapped, notes = map_labels(labels, request.params["model_labels"])
        if labels.get("labels") and all(label is None for label in mapped) and notes:
            known = ", ".join(map(str, request.params["model_labels"]))
            raise Refused(
                f"no class of the data is one of the model's: {', '.join(map(str, labels['names'][:12]))}",
                hint=f"the model's classes are {known}; --labels FILE gives others",
            )
        for note in notes:
            request.note(note, level="warning")
        names = request.params["model_labels"] if labels.get("names") else None
        labels = _take_labels({**labels, "labels": mapped, "names": names or labels.get("names")}, chosen)
        _write_labels(request, labels)
    np.savez(
        Path(request.out) / "samples.npz", allow_pickle=False, **{name: array[chosen] for name, array in bound.items()}
    )
    labelled = sum(label is not None for label in labels.get("labels") or ())
    return {"count": len(chosen), "labelled": labelled, "names": labels.get("names")}


@operation
def subset(request: Request) -> dict[str, Any]:
    folder = Path(request.inputs["data"])
    chosen: NDArray[np.intp] = np.arange(0)
    for file, arrays in _archives(folder):
        chosen = _choose(len(next(iter(arrays.values()))), request.params["limit"], request.params["seed"])
        np.savez(
            Path(request.out) / file, allow_pickle=False, **{name: array[chosen] for name, array in arrays.items()}
        )
    labels = _labels(folder)
    if labels:
        _write_labels(request, _take_labels(labels, chosen))
    return {"count": len(chosen)}


@operation
def rename(request: Request) -> dict[str, Any]:
    names = request.params["names"]
    for file, arrays in _archives(Path(request.inputs["data"])):
        np.savez(
            Path(request.out) / file,
            allow_pickle=False,
            **{names.get(name, name): array for name, array in arrays.items()},
        )
    return {}


@operation
def summarise(request: Request) -> dict[str, Any]:
    labels = request.params["model_labels"]
    items = _labels(Path(request.inputs["items"])).get("items") or []
    results: list[dict[str, Any]] = []
    for _, arrays in _archives(Path(request.inputs["data"])):
        for name, array in arrays.items():
            for index in range(min(len(array), MAX_RESULTS - len(results))):
                item = items[index] if index < len(items) else f"sample {index}"
                results.append({"item": item, "output": name, **_result(array[index], labels)})
    return {"results": results}


def _result(output: NDArray[Any], labels: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"shape": list(output.shape), "label": None, "score": None}
    if labels and output.size == len(labels) and np.isfinite(output).all():
        best = int(output.argmax())
        found |= {"label": labels[best], "score": float(output.reshape(-1)[best])}
    return found


def _archives(folder: Path) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    for file in ARRAYS:
        if (folder / file).is_file():
            with np.load(folder / file, allow_pickle=False) as stored:
                yield file, dict(stored)


def _choose(count: int, limit: int, seed: int) -> NDArray[np.intp]:
    """Indices in rising order: all where they are few enough, else a seeded choice."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit])


def _labels(folder: Path) -> dict[str, Any]:
    file = folder / "labels.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _take_labels(labels: dict[str, Any], chosen: NDArray[np.intp]) -> dict[str, Any]:
    """Those of the chosen samples; lists with an entry per sample are cut, everything else stays."""
    per_sample = {key: labels[key] for key in ("labels", "items") if labels.get(key)}
    return {**labels, **{key: [value[index] for index in chosen] for key, value in per_sample.items()}}


def _write_labels(request: Request, labels: dict[str, Any]) -> None:
    text = json.dumps(labels, ensure_ascii=False, sort_keys=True)
    (Path(request.out) / "labels.json").write_text(text, encoding="utf-8")
