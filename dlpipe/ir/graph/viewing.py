"""What people look at: the graph, how far each layer's output is from the same layer's before, how long each kernel
takes, how the weights are distributed. Bounded, whatever the model's size: the first nodes, the largest weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused

from . import checking, executing, files, portions, walk
from .probing import probing

MAX_NODES = 300
MAX_WEIGHTS = 24
BINS = 40
MAX_ELEMENTS = 1 << 22  # of a weight that are looked at: every k-th of more
MAX_BYTES = 1 << 27  # of values that are held at once, of each of two models
MAX_MODEL = 1 << 30  # bytes of a model whose layers are compared: its weights are copied for that
SECONDS = 2.0  # in which a model's kernels are profiled: one run at least, at most so many
RUNS = 20
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)


def view(folder: Path, before: Path | None, samples: Path, scratch: Path) -> dict[str, Any]:
    """before: the IR folder of the model that this one was made from; None for that one itself.

    Returns {"nodes": [{"name", "op", "after": indices, "error"}], "node_count", "error_reason", "kernels": [{"name",
    "op", "milliseconds"}], "kernels_reason", "weights": [...], "weight_count"}. An error is the largest of the first
    sample, over the range that the layer had; None where the earlier model has no layer of this name and operator.
    """
    checking.check(folder / files.MODEL)
    model = files.read(folder / files.MODEL)
    nodes: list[dict[str, Any]] = []
    made: dict[str, int] = {}
    for index, node in enumerate(model.graph.node[:MAX_NODES]):
        after = sorted({made[name] for name in node.input if name in made})
        nodes.append({"name": node.name or node.output[0], "op": walk.qualified(node), "after": after, "error": None})
        made |= dict.fromkeys((name for name in node.output if name), index)
    value: dict[str, Any] = {"nodes": nodes, "node_count": len(model.graph.node), "error_reason": None}
    if before is not None:
        value["error_reason"] = _layers(folder, before, model, nodes, samples, scratch)
    value["kernels"], value["kernels_reason"] = _kernels(folder, samples, scratch)
    value["weights"], value["weight_count"] = _weights(folder, model)
    return value


def _layers(folder: Path, before: Path, model: Any, nodes: list[Any], samples: Path, scratch: Path) -> str | None:
    """Fill in the errors. Returns why there are none."""
    size = sum(path.stat().st_size for each in (folder, before) for path in each.iterdir() if path.is_file())
    if size > MAX_MODEL:
        return f"the model is too large to run it layer by layer ({size:,} bytes, at most {MAX_MODEL:,})"
    earlier = files.read(before / files.MODEL)
    # A layer that others were fused into may keep its name and have another operator: then its value is another one.
    known = {name: walk.qualified(node) for node in earlier.graph.node for name in node.output if name}
    shapes = {each.name: walk.dims(each) or [] for each in checking.infer(earlier, strict=False).graph.value_info}
    places = {
        name: index
        for index, node in enumerate(model.graph.node[: len(nodes)])
        for name in node.output
        if known.get(name) == walk.qualified(node)
    }
    if not places:
        return "no layer has kept its name and operator"
    try:
        with (
            probing(before, earlier, samples, scratch) as of_the_earlier,
            probing(folder, model, samples, scratch) as of_this,
            executing.refusing("failed to run the model"),
        ):
            for part in portions.within(MAX_BYTES, places, lambda name: _bytes(shapes.get(name))):
                for name, old, new in zip(part, of_the_earlier(part), of_this(part), strict=True):
                    nodes[places[name]]["error"] = _error(old, new)
    except Refused as error:
        return f"it could not be run layer by layer: {error}"
    return None


def _bytes(shape: list[Any] | None) -> int:
    return 4 * int(np.prod([dim if isinstance(dim, int) else 1 for dim in shape], dtype=np.int64)) if shape else 1 << 20


def _error(old: Any, new: Any) -> float | None:
    """None where the two cannot be compared, or an element is not finite."""
    if not (isinstance(old, np.ndarray) and isinstance(new, np.ndarray)) or old.shape != new.shape or not old.size:
        return None
    if old.dtype.kind not in "fiu" or new.dtype.kind not in "fiu":
        return None
    a, b = old.astype(np.float64), new.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return float(np.abs(a - b).max()) / (float(np.ptp(a)) or float(np.abs(a).max()) or 1.0)


def _kernels(folder: Path, samples: Path, scratch: Path) -> tuple[list[dict[str, Any]], str | None]:
    """What ONNX Runtime executes where it is timed (fused, in integers where it can): median of each, longest first."""
    try:
        session = executing.open_session(
            folder / files.MODEL, integer_kernels=True, profile=str(scratch / "profile")
        )  # fmt: skip
        feed = executing.one(executing.feeds_of(session, samples), 0)
        with executing.refusing("failed to run the model"):
            (first,) = executing.timed(session, feed, 1)
            runs = 1 + min(RUNS, int(SECONDS / max(first, 1e-6)))
            executing.timed(session, feed, runs - 1)
    except Refused as error:
        return [], f"it could not be profiled: {error}"
    record = Path(session.end_profiling())
    events = json.loads(record.read_text(encoding="utf-8"))
    record.unlink()
    found: dict[tuple[str, str], list[float]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            key = (name.removesuffix("_kernel_time"), str(event.get("args", {}).get("op_name", "")))
            found.setdefault(key, []).append(event["dur"] / 1000)
    kernels: list[dict[str, Any]] = [
        {"name": name or op, "op": op, "milliseconds": float(np.median(times)) * len(times) / runs}
        for (name, op), times in found.items()
    ]
    kernels.sort(key=lambda each: (-each["milliseconds"], each["name"]))
    return kernels[:MAX_NODES], None


def _weights(folder: Path, model: Any) -> tuple[list[dict[str, Any]], int]:
    """The largest weights; quantised ones as the numbers that they stand for."""
    found = [*_plain(model), *_quantised(model)]
    found.sort(key=lambda each: (-walk.elements(each[0].dims), each[0].name))
    return [_histogram(folder, *each) for each in found[:MAX_WEIGHTS]], len(found)


def _plain(model: Any) -> Iterator[tuple[Any, Any, Any, int]]:
    quantising = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    scales = {name for node in quantising for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.data_type in _FLOATS and walk.elements(tensor.dims) > 1 and tensor.name not in scales:
            yield tensor, None, None, 0


def _quantised(model: Any) -> Iterator[tuple[Any, Any, Any, int]]:
    """A weight, its scale and zero point, and the axis that they go along."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in stored or node.input[1] not in stored:
            continue
        tensor, scale = stored[node.input[0]], stored[node.input[1]]
        options = {each.name: each.i for each in node.attribute}
        if walk.elements(tensor.dims) > 1 and len(scale.dims) <= 1 and not options.get("block_size"):
            zero = stored.get(node.input[2]) if len(node.input) > 2 else None
            axis = options.get("axis", 1)
            yield tensor, scale, zero, axis % len(tensor.dims) if len(tensor.dims) > 1 else 0


def _along(folder: Path, tensor: Any, places: Any) -> Any:
    """The value for each place on the axis; one for all where there is one."""
    values = onnx.numpy_helper.to_array(tensor, str(folder)).astype(np.float64).reshape(-1)
    return values[places] if values.size > 1 else values[0]


def _histogram(folder: Path, tensor: Any, scale: Any, zero: Any, axis: int) -> dict[str, Any]:
    array = onnx.numpy_helper.to_array(tensor, str(folder)).reshape(-1)
    step = -(-array.size // MAX_ELEMENTS)
    values = array[::step].astype(np.float64)
    if scale is not None:
        dims = list(tensor.dims)
        places = np.arange(0, array.size, step) // int(np.prod(dims[axis + 1 :], dtype=np.int64)) % dims[axis]
        offset = _along(folder, zero, places) if zero is not None else 0.0
        values = (values - offset) * _along(folder, scale, places)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    counts, _ = np.histogram(finite, bins=BINS, range=(low, high if high > low else low + 1.0))
    return {
        "name": tensor.name,
        "dtype": walk.dtype(tensor.data_type),
        "shape": [int(dim) for dim in tensor.dims],
        "low": low,
        "high": high,
        "mean": float(finite.mean()) if finite.size else 0.0,
        "std": float(finite.std()) if finite.size else 0.0,
        "counts": [int(each) for each in counts],
        "every": step,
    }
