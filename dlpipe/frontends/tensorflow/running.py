"""Executing the original: its preprocessing, and its answers."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from .graphs import first_line, read_graph
from .loading import load
from .original import open_graph, open_original

PER_PROGRESS = 64  # samples


def read_contract(folder: str) -> dict[str, Any]:
    contract: dict[str, Any] = json.loads((Path(folder) / "contract.json").read_bytes())
    return contract


def preprocess(request: Request) -> dict[str, Any]:
    """imported, data (items/* + labels.json) -> samples.npz: what the removed operators make of every file."""
    contract = read_contract(request.inputs["imported"])
    if not contract["preprocessing"]:
        raise Refused("this model has no preprocessing of its own: its inputs are fed directly", kind="unsupported")
    part = contract["preprocessing"][0]
    graph = read_graph(Path(request.inputs["imported"]) / part["file"])
    items = list_items(request.inputs["data"])
    rows: dict[str, list[Any]] = {port["name"]: [] for port in contract["inputs"]}
    with open_graph(graph) as original:
        for port in contract["inputs"]:
            if not original.has(port["source"]):
                raise Refused(
                    f"the input {port['name']} is not made by the preprocessing: feed it from a file",
                    kind="unsupported",
                )
        run = original.runner([port["source"] for port in contract["inputs"]], [part["feeds"]])
        for count, path in enumerate(items):
            for port, value in zip(contract["inputs"], _run_file(run, path), strict=True):
                rows[port["name"]].append(_checked(value, port, path))
            _progress(request, "preprocessing", count, len(items))
    _save(request, "samples.npz", rows)
    for name in ("labels.json", "labels.npz"):
        labels = Path(request.inputs["data"]) / name
        if labels.is_file():
            shutil.copyfile(labels, Path(request.out) / name)
    return {"count": len(items), "tool": tool()}


def reference(request: Request) -> dict[str, Any]:
    """source, imported, samples -> outputs.npz of the original itself, fed at the boundary."""
    contract = read_contract(request.inputs["imported"])
    samples = load_samples(request.inputs["samples"], contract["inputs"])
    count = len(next(iter(samples.values())))
    rows: dict[str, list[Any]] = {port["name"]: [] for port in contract["outputs"]}
    with open_at_boundary(request, contract) as run:
        for index in range(count):
            values = run(*[samples[port["name"]][index] for port in contract["inputs"]])
            for port, value in zip(contract["outputs"], values, strict=True):
                rows[port["name"]].append(value)
            _progress(request, "running the original", index, count)
    _save(request, "outputs.npz", rows)
    return {"count": count, "tool": tool()}


def end_to_end(request: Request) -> dict[str, Any]:
    """source, imported, data -> outputs.npz of the uncut original, fed with the files themselves."""
    contract = read_contract(request.inputs["imported"])
    if not contract["preprocessing"]:
        raise Refused("this model has no preprocessing of its own", kind="unsupported")
    items = list_items(request.inputs["data"])
    rows: dict[str, list[Any]] = {port["name"]: [] for port in contract["outputs"]}
    settings = contract["metadata"]["settings"]
    with open_original(request.inputs["source"], request.params["entry"], request.params["format"]) as original:
        fetches = [port["source"] for port in contract["outputs"]]
        run = original.runner(fetches, [contract["metadata"]["file_input"], *settings])
        for count, path in enumerate(items):
            for port, value in zip(contract["outputs"], _run_file(run, path, *settings.values()), strict=True):
                rows[port["name"]].append(value)
            _progress(request, "running the original", count, len(items))
    _save(request, "outputs.npz", rows)
    return {"count": len(items), "tool": tool()}


@contextmanager
def open_at_boundary(request: Request, contract: Mapping[str, Any], threads: int | None = None) -> Iterator[Any]:
    """A call: the contract's inputs in order -> its outputs in order, by the original.

    Only a SavedModel that was cut inside one of its functions has no tensor to feed there: its frozen graph is run.
    """
    folder, params = request.inputs["source"], request.params
    inputs = [port["source"] for port in contract["inputs"]]
    outputs = [port["source"] for port in contract["outputs"]]
    settings = contract["metadata"]["settings"]
    with open_original(folder, params["entry"], params["format"], threads) as original:
        if all(original.has(name) for name in inputs):
            run = original.runner(outputs, [*inputs, *settings])
            yield lambda *values: run(*values, *settings.values())
            return
    loaded = load(folder, {**params, "outputs": [], "inputs": {}})
    frozen = {source: tensor for tensor, (_, source) in loaded.outputs.items()}
    switches = {each.tensor: each.value for each in loaded.settings}
    with open_graph(loaded.graph, threads) as original:
        run = original.runner([frozen[name] for name in outputs], [*inputs, *switches])
        yield lambda *values: run(*values, *switches.values())


def list_items(folder: str) -> list[Path]:
    """The files of a data folder, in the order of its labels: the reader numbers them."""
    items = Path(folder) / "items"
    if not items.is_dir():
        raise Refused("the data holds no files: this model takes clips or pictures, not tensors", kind="unsupported")
    names = sorted(each.name for each in items.iterdir())
    if not names:
        raise Refused("the data holds no files", kind="unsupported")
    return [items / name for name in names]


def tool() -> str:
    import tensorflow as tf

    return f"tensorflow {tf.__version__}"


def _run_file(run: Any, path: Path, *settings: Any) -> Sequence[Any]:
    import tensorflow as tf

    data = path.read_bytes()
    try:
        values: Sequence[Any] = run(data, *settings)
    except tf.errors.OpError as error:
        raise Refused(f"TensorFlow cannot read {path.name}: {first_line(error)}") from None
    return values


def _checked(value: Any, port: Mapping[str, Any], path: Path) -> Any:
    shape = list(value.shape)
    if len(shape) != len(port["shape"]) or any(
        isinstance(want, int) and want != got for want, got in zip(port["shape"], shape, strict=True)
    ):
        raise Refused(f"{path.name} gives {port['name']} the shape {shape}; the model takes {port['shape']}")
    return value


def load_samples(folder: str, ports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import numpy as np

    with np.load(Path(folder) / "samples.npz", allow_pickle=False) as file:
        return {port["name"]: file[port["name"]].astype(port["dtype"], copy=False) for port in ports}


def _save(request: Request, name: str, rows: Mapping[str, list[Any]]) -> None:
    import numpy as np

    try:
        stacked = {key: np.stack(values) for key, values in rows.items()}
    except ValueError:
        raise Refused("the samples give tensors of different shapes", kind="unsupported") from None
    np.savez(Path(request.out) / name, allow_pickle=False, **stacked)


def _progress(request: Request, message: str, done: int, of: int) -> None:
    if done % PER_PROGRESS == 0:
        request.progress(message, done / of)
