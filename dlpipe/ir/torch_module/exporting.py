"""An IR folder as a program of `torch.export`."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from dlpipe_worker import Refused

from .frozen import Frozen
from .linear import linears
from .network import Network
from .quantised import pt2e


def export(folder: Path, contract: Mapping[str, Any], tool: str) -> Any:
    """The ExportedProgram of the model in an IR folder, in the order of the contract's inputs and outputs, for their
    shapes: of a batch of one where its size is free. `tool` is who wants them fixed. Quantisation comes in the
    operators of PT2E. Raises Refused for another free dim, and for operators and types that torch does not compute
    here, with the node's name."""
    feeds = {port["name"]: torch.from_numpy(zeros(port, tool)) for port in contract["inputs"]}
    model = ir.load(str(folder / "model.onnx"))
    for value in [each for each in model.graph.inputs if each.is_initializer()]:
        model.graph.inputs.remove(value)  # how old files have weights; nobody feeds them
    computes: dict[ir.Node, Any] = dict(linears(model))
    quantised, weights = pt2e(model)
    frozen = Frozen(Network(model, replace=computes | quantised), feeds, weights)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(frozen, tuple(feeds[name] for name in frozen.inputs), strict=False)
    _check_types(contract, exported)
    return exported


def _check_types(contract: Mapping[str, Any], exported: Any) -> None:
    """Raises Refused where torch computes an output in another type than the contract promises."""
    made = [node.meta["val"] for node in next(iter(exported.graph.find_nodes(op="output"))).args[0]]
    for port, value in zip(contract["outputs"], made, strict=True):
        kind = str(value.dtype).removeprefix("torch.")
        if kind != port["dtype"]:
            raise Refused(f"torch computes {port['name']} in {kind} instead of {port['dtype']}", kind="unsupported")


def zeros(port: Mapping[str, Any], tool: str) -> Any:
    """An array for an input of the contract."""
    shape = [1 if axis == 0 and isinstance(size, str) else size for axis, size in enumerate(port["shape"])]
    if free := [size for size in shape if isinstance(size, str)]:
        raise Refused(
            f"{tool} needs fixed shapes, and {port['name']} has the free dim {free[0]}",
            kind="unsupported",
            hint=f"--shape {free[0]}=<size>",
        )
    if port["dtype"] == "string":
        raise Refused(f"{tool} takes no strings ({port['name']})", kind="unsupported")
    return np.zeros(shape, port["dtype"])
