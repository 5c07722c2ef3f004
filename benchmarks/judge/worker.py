"""What is the same for all candidates of docs/passes.md: the data they see, their answers, the time they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from . import backends, datasets, detections, folders


@operation
def data(request: Request) -> object:
    """ir, data -> samples for that model. params: "kind" (see datasets.py) and what it takes."""
    params = dict(request.params)
    source, ir = Path(request.inputs["data"]), Path(request.inputs["ir"])
    arrays, labels = datasets.KINDS[params.pop("kind")](source, **params)
    name, shape = folders.first_input(ir)
    arrays = arrays.astype(np.float32).reshape(len(arrays), *shape)
    folders.write(Path(request.out), {name: arrays}, labels)
    return {"count": len(arrays)}


@operation
def part(request: Request) -> object:
    """samples -> the part of them that is "calibration", "train" or "evaluation": disjoint, drawn with the seed.

    params: part, calibration, train (how many), evaluation (at most), seed; in_order: the first ones are taken for
    calibration instead of drawn ones, where samples beside each other show the same thing.
    """
    params = request.params
    samples, labels = folders.read(Path(request.inputs["samples"]))
    order = np.arange(len(labels))
    if not params["in_order"]:
        order = np.random.default_rng(params["seed"]).permutation(order)
    start, lengths = 0, {name: params[name] for name in ("calibration", "train", "evaluation")}
    for name in lengths:
        if name == params["part"]:
            break
        start += lengths[name]
    chosen = np.sort(order[start : start + lengths[params["part"]]])
    parts = {name: array[chosen] for name, array in samples.items()}
    folders.write(Path(request.out), parts, [labels[index] for index in chosen])
    return {"count": len(chosen)}


@operation
def answer(request: Request) -> object:
    """ir, samples -> `outputs.npz`. params: backend."""
    samples, _ = folders.read(Path(request.inputs["samples"]))
    model = backends.load(request.params["backend"], Path(request.inputs["ir"]), samples)
    outputs = [model(folders.sample(samples, index)) for index in range(len(next(iter(samples.values()))))]
    named = {str(number): np.stack([each[number] for each in outputs]) for number in range(len(outputs[0]))}
    np.savez(Path(request.out, "outputs.npz"), **named)
    return {"outputs": {name: list(array.shape) for name, array in named.items()}}


@operation
def classify(request: Request) -> object:
    """answers, samples -> {"right": a digit per sample, 1 where the class with the highest score is the label}."""
    _, labels = folders.read(Path(request.inputs["samples"]))
    with np.load(Path(request.inputs["answers"], "outputs.npz"), allow_pickle=False) as archive:
        scores = archive["0"].reshape(len(labels), -1)
    return {"right": "".join(map(str, (scores.argmax(axis=1) == np.array(labels)).astype(int)))}


@operation
def detect(request: Request) -> object:
    """answers, reference -> {"matched": [[boxes of the reference, boxes found, boxes matched] per sample]}."""
    found, expected = (_boxes(Path(request.inputs[name], "outputs.npz")) for name in ("answers", "reference"))
    pairs = zip(expected, found, strict=True)
    return {"matched": [[len(old), len(new), detections.matched(old, new)] for old, new in pairs]}


def _boxes(file: Path) -> list[Any]:
    with np.load(file, allow_pickle=False) as archive:
        return [detections.decode(scores, boxes) for scores, boxes in zip(archive["0"], archive["1"], strict=True)]


@operation
def time_(request: Request) -> object:
    """samples, and a folder for each candidate -> candidate -> backend -> rounds of seconds.

    params: candidates (name -> [folder, [backends]]), rounds, seconds (of each candidate and round, at least).
    """
    samples, _ = folders.read(Path(request.inputs["samples"]))
    feed = folders.sample(samples, 0)
    loaded = {
        (name, backend): backends.load(backend, Path(request.inputs[folder]), samples)
        for name, (folder, wanted) in request.params["candidates"].items()
        for backend in wanted
    }
    rounds = backends.interleave(
        loaded, feed, request.params["rounds"], request.params["seconds"], lambda done: request.progress("timing", done)
    )
    found: dict[str, dict[str, Any]] = {}
    for (name, backend), seconds in rounds.items():
        found.setdefault(name, {})[backend] = seconds
    return {"rounds": found, "versions": backends.versions()}
