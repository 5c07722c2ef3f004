"""Operations on folders of samples and outputs. Runs in the toolchain `core`: numpy only."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation
from numpy.typing import NDArray

from .bind import bind
from .gaps import find_gaps
from .labels import map_labels, named
from .saving import save

ARRAYS = ("samples.npz", "outputs.npz")
MAX_RESULTS = 1000


@operation
def prepare(request: Request) -> dict[str, Any]:
    """See `prepare_call`. Raises Refused where the data does not fit the model's inputs."""
    contract = json.loads((Path(request.inputs["ir"]) / "contract.json").read_text(encoding="utf-8"))
    folder = Path(request.inputs["data"])
    if not (folder / "samples.npz").is_file():
        kind = _labels(folder).get("kind", "items")
        steps = "--preprocess says how pictures become the input (resize=224); or " if kind == "image" else ""
        raise Refused(
            f"the data holds {kind} files, and the model takes tensors: it carries no preprocessing for them",
            kind="unsupported",
            hint=f"{steps}give features as .npz (x, y)",
        )
    with np.load(folder / "samples.npz", allow_pickle=False) as stored:
        bound = bind(stored, contract["inputs"], pictures=_labels(folder).get("kind") == "image")
    if _labels(folder).get("mask_sizes"):
        raise Refused(
            "the masks have several sizes, and no array holds them all",
            kind="unsupported",
            hint="--preprocess, such as resize=512, brings each to one size with its picture",
        )
    count = len(next(iter(bound.values())))
    chosen = _choose(count, request.params["limit"], request.params["seed"])
    labels = _labels(folder)
    if labels.get("truth", "class") != "class":
        labels, notes = named(labels, request.params["model_labels"])
        for note in notes:
            request.note(note, level="warning")
        labels = _take_labels(labels, chosen)
        _write_labels(request, labels, folder, chosen)
    elif labels:
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
        _write_labels(request, labels, folder, chosen)
    taken = {name: array[chosen] for name, array in bound.items()}
    save(Path(request.out) / "samples.npz", taken)
    gaps = find_gaps(taken, labels.get("items") or ())
    if gaps:
        request.note(gaps, level="warning")
    labelled = sum(label is not None for label in labels.get("labels") or ())
    return {
        "count": len(chosen),
        "labelled": labelled,
        "names": labels.get("names"),
        "truth": _truth(labels),
        "gaps": gaps,
    }


@operation
def given(request: Request) -> dict[str, Any]:
    """See `given_call`. Raises Refused where the file is none, or does not fit the inputs."""
    path = Path(request.inputs["data"]) / "samples.npz"
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (AttributeError, EOFError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise Refused(f"the samples are no .npz of arrays of numbers: {error}") from error
    bound = bind(arrays, request.params["inputs"])
    save(Path(request.out) / "samples.npz", bound)
    return {"count": len(next(iter(bound.values())))}


@operation
def subset(request: Request) -> dict[str, Any]:
    limit, seed = request.params["limit"], request.params["seed"]
    return {"count": len(_take(request, lambda count: _choose(count, limit, seed)))}


@operation
def pick(request: Request) -> dict[str, Any]:
    """See `pick_call`."""
    numbers, names = request.params["numbers"], request.params["names"]
    return {
        "count": len(_take(request, lambda of: np.array(range(of) if numbers is None else numbers, np.intp), names))
    }


@operation
def nudge(request: Request) -> dict[str, Any]:
    """See `nudge_call`. Zeros stay, which may stand for padding; so do whole numbers and other types."""
    random, count = np.random.default_rng(request.params["seed"]), 0
    with np.load(Path(request.inputs["data"]) / "samples.npz", allow_pickle=False) as stored:
        moved = dict(stored)
    for name, array in moved.items():
        count = len(array)
        if array.dtype == np.float32:
            ends = np.where(random.random(array.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
            moved[name] = np.where(array == 0, array, np.nextafter(array, ends))
    save(Path(request.out) / "samples.npz", moved)
    return {"count": count}


@operation
def part(request: Request) -> dict[str, Any]:
    """See `part_call`. Raises Refused where the part is empty."""
    of = 0

    def choose(count: int) -> NDArray[np.intp]:
        nonlocal of
        of = count
        start, end = (math.floor(count * request.params[name] + 1e-9) for name in ("start", "end"))
        shuffled = np.random.default_rng(request.params["seed"]).permutation(count)
        return np.sort(shuffled[start:end][: request.params["limit"]])

    chosen = _take(request, choose)
    if not len(chosen):
        raise Refused(f"{of} samples are too few to be divided", hint="give more data, or --train-data beside it")
    labels = _labels(Path(request.out))
    labelled = sum(label is not None for label in labels.get("labels") or ())
    names, truth = labels.get("names"), _truth(labels)
    return {"count": len(chosen), "of": of, "labelled": labelled, "names": names, "truth": truth}


@operation
def rename(request: Request) -> dict[str, Any]:
    names, dtypes = request.params["names"], request.params.get("dtypes", {})
    for file, arrays in _archives(Path(request.inputs["data"])):
        renamed = {names.get(name, name): array for name, array in arrays.items()}
        typed = {name: array.astype(dtypes.get(name, array.dtype), copy=False) for name, array in renamed.items()}
        save(Path(request.out) / file, typed)
    return {}


@operation
def inside(request: Request) -> dict[str, Any]:
    """See `inside_call`."""
    fed, values = (
        {name: array for _, each in _archives(Path(request.inputs[key])) for name, array in each.items()}
        for key in ("samples", "values")
    )
    fed |= {name: values[name] for name in request.params["inputs"]}
    save(Path(request.out) / "samples.npz", fed)
    answers = {name: values[name] for name in request.params["outputs"]}
    save(Path(request.out) / "outputs.npz", answers)
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


def _take(
    request: Request, choose: Callable[[int], NDArray[np.intp]], names: Sequence[str] | None = None
) -> NDArray[np.intp]:
    """Write the samples that `choose` names, given how many there are, with their labels. names: of the arrays that
    are kept; None: all."""
    folder = Path(request.inputs["data"])
    chosen: NDArray[np.intp] = np.arange(0)
    for file, arrays in _archives(folder):
        chosen = choose(len(next(iter(arrays.values()))))
        kept = {name: array[chosen] for name, array in arrays.items() if names is None or name in names}
        if kept:
            save(Path(request.out) / file, kept)
    labels = _labels(folder)
    if labels:
        _write_labels(request, _take_labels(labels, chosen), folder, chosen)
    return chosen


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
    per_sample = {key: labels[key] for key in ("labels", "items", "mask_sizes") if labels.get(key)}
    return {**labels, **{key: [value[index] for index in chosen] for key, value in per_sample.items()}}


def _truth(labels: dict[str, Any]) -> str:
    """What a label is (`readers/labels.py`)."""
    return str(labels.get("truth", "class"))


def _write_labels(request: Request, labels: dict[str, Any], folder: Path, chosen: NDArray[np.intp]) -> None:
    """Of the chosen samples of `folder`."""
    if (folder / "labels.npz").is_file():
        with np.load(folder / "labels.npz", allow_pickle=False) as stored:
            save(Path(request.out) / "labels.npz", {name: array[chosen] for name, array in stored.items()})
    text = json.dumps(labels, ensure_ascii=False, sort_keys=True)
    (Path(request.out) / "labels.json").write_text(text, encoding="utf-8")
