"""Cuts channels at random, and compares with zeros in their place. Runs in the core toolchain."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from dlpipe_worker import Request, operation
from onnx_ir.passes import common

from ..passes.graph import inference
from ..passes.pruning.cutting import cut
from ..passes.pruning.following import follow
from ..passes.pruning.groups import find_groups
from ..passes.pruning.rules import RULES


@operation
def compare(request: Request) -> object:
    """source -> {error, groups: [[layers, units]], weights: [before, after], frozen}. params: entry, seed, sizes (of
    dims that the model leaves open).

    The error is the largest difference between the cut model and the whole one with zeros in all products' weights for
    the positions that went, relative to that output's range.
    """
    path = Path(request.inputs["source"]) / request.params["entry"]
    random = np.random.default_rng(request.params["seed"])
    model, zeroed = _load(path), _load(path)
    traced = follow(model, RULES)
    groups = find_groups(traced)
    gone: set[int] = set()
    for group in groups:
        count = int(random.integers(0, len(group.units)))
        gone |= {group.units[index] for index in random.permutation(len(group.units))[:count]}
    weights = {str(product.weight.name): product.weight for product in traced.products}
    for name, value in weights.items():
        array = value.const_value.numpy().copy()
        for axis, labels in enumerate(traced.labels[value]):
            lost = np.isin(traced.units.roots(labels), sorted(gone))
            array[(slice(None),) * axis + (lost,)] = 0.0
        zeroed.graph.initializers[name].const_value = ir.tensor(array, name=name)
    before = sum(value.const_value.size for value in weights.values())
    cut(traced, gone)
    for node in model.graph:
        for output in node.outputs:
            if not output.is_graph_output():
                output.shape = None
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    feeds = _feeds(model, random, request.params.get("sizes", {}))
    found, wanted = _run(proto, feeds), _run(ir.to_proto(zeroed), feeds)
    return {
        "error": max(float(np.abs(a - b).max() / max(np.ptp(b), 1e-3)) for a, b in zip(found, wanted, strict=True)),
        "groups": [[group.layers, len(group.units)] for group in groups],
        "weights": [before, sum(value.const_value.size for value in weights.values())],
        "frozen": traced.frozen(),
    }


def _load(path: Path) -> Any:
    model = ir.load(str(path))
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    inference.infer(model)
    return model


def _feeds(model: Any, random: Any, sizes: dict[str, int]) -> dict[str, Any]:
    feeds = {}
    for value in model.graph.inputs:
        shape = [size if isinstance(size, int) else sizes.get(str(size.value), 2) for size in value.shape]
        feeds[value.name] = random.standard_normal(shape).astype(value.dtype.numpy())
    return feeds


def _run(proto: Any, feeds: dict[str, Any]) -> list[Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(array, np.float64) for array in session.run(None, feeds)]
