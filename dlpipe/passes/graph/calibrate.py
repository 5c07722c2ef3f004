"""Run the float model on samples and keep of its activations only ranges and histograms."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from dlpipe_worker import Refused

from .ranges import Observed

_BUDGET = 256 << 20  # bytes of activations that are held at once, of one sample
_UNKNOWN = 8 << 20  # what a tensor of unknown shape is taken to need


def calibrate(
    model: Any, names: list[str], samples: Path, *, histograms: bool, progress: Callable[[str, float | None], None]
) -> tuple[dict[str, Observed], int]:
    """Returns (name -> what was seen of that tensor, number of samples).

    model: ModelProto with inferred shapes, below 2 GiB. samples: an .npz with [N, *input_shape] per input. One sample
    at a time, and of a large model some tensors at a time: memory is bounded by the model plus about 256 MB. With
    `histograms` the samples are run twice, since a histogram needs its range first.
    """
    feeds = _feeds(model, samples)
    count = min((len(array) for array in feeds.values()), default=0)
    if count == 0:
        raise Refused("there are no samples to calibrate on")
    seen = {name: Observed() for name in names}
    groups = list(_groups(model, names))
    rounds = 2 if histograms else 1
    done, total = 0, rounds * len(groups) * count
    for group in groups:
        session = _session(model, group)
        for turn in range(rounds):
            for index in range(count):
                sample = {name: np.asarray(array[index]) for name, array in feeds.items()}
                for name, array in zip(group, session.run(group, sample), strict=True):
                    if not np.isfinite(array).all():
                        raise Refused(f"{name!r} is not finite on sample {index}: int8 has no range for it")
                    (seen[name].widen if turn == 0 else seen[name].count)(array)
                done += 1
                progress("calibrating", done / total)
    return seen, count


def _feeds(model: Any, samples: Path) -> dict[str, Any]:
    with np.load(samples, allow_pickle=False) as archive:
        missing = [port.name for port in model.graph.input if port.name not in archive.files]
        if missing:
            raise Refused(f"the samples hold {sorted(archive.files)}, and the model wants {missing} too")
        return {port.name: archive[port.name] for port in model.graph.input}


def _groups(model: Any, names: list[str]) -> Iterator[list[str]]:
    sizes = _sizes(model)
    group: list[str] = []
    held = 0
    for name in names:
        size = sizes.get(name, _UNKNOWN)
        if group and held + size > _BUDGET:
            yield group
            group, held = [], 0
        group.append(name)
        held += size
    if group:
        yield group


def _sizes(model: Any) -> Mapping[str, int]:
    found = {}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        shape = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in shape):
            found[value.name] = 4 * math.prod(dim.dim_value for dim in shape)
    return found


def _session(model: Any, names: list[str]) -> Any:
    """The model with the tensors of that name among its outputs."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    present = {port.name for port in watched.graph.output}
    for name in names:
        if name not in present:
            watched.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in the same order everywhere
    options.log_severity_level = 3
    return ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
