"""ONNX -> Relax, with refusals that name the node."""

import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

import onnx
import tvm
from dlpipe_worker import Refused
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx, onnx_frontend

from .reading import read

STANDARD_DOMAINS = ("", "ai.onnx")


def operators() -> set[str]:
    """Operators of the standard domain that the frontend converts; If and Constant it handles by itself. Its Attention
    is Microsoft's operator of that name, whatever the node's domain."""
    converters = onnx_frontend._get_convert_map()  # noqa: SLF001 - there is no public list
    return {name for name, converter in converters.items() if converter is not None} - {"Attention"} | {
        "Constant",
        "If",
    }


def load(path: str) -> onnx.ModelProto:
    """The model with its weights. Raises Refused at the first node that TVM does not import."""
    model = read(Path(path))
    known = operators()
    for node in model.graph.node:
        # The frontend looks at the name alone, and another domain may mean something else by it.
        standard = node.domain in STANDARD_DOMAINS
        if not standard or node.op_type not in known:
            name = node.op_type if standard else f"{node.domain}::{node.op_type}"
            where = node.name or next(iter(node.output), None)
            raise Refused(f"TVM does not import {name}", kind="unsupported", node=where, op=name)
    return model


def ports(values: list[Any]) -> list[dict[str, Any]]:
    """name, dtype and shape of inputs or outputs, in the model's order; a symbolic dim is 1."""
    found = []
    for value in values:
        if not value.type.HasField("tensor_type"):
            raise Refused(f"{value.name} is not a tensor", kind="unsupported", node=value.name)
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            raise Refused(f"the shape of {value.name} is not known", kind="unsupported", node=value.name)
        shape = [dim.dim_value if dim.HasField("dim_value") else 1 for dim in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        found.append({"name": value.name, "dtype": dtype, "shape": shape})
    return found


def inputs(model: onnx.ModelProto) -> list[dict[str, Any]]:
    """What has to be fed: graph inputs that are not weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return ports([value for value in model.graph.input if value.name not in weights])


def to_relax(model: onnx.ModelProto, variant: str) -> tvm.IRModule:
    """A Relax module with the weights as constants. Raises Refused when the frontend does not take the model."""
    shapes = {port["name"]: port["shape"] for port in inputs(model)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the checker's opinion, which the core toolchain has asked for already
            module = from_onnx(model, shape_dict=shapes, keep_params_in_input=False)
    except Exception as error:
        node = _node_at_fault(error.__traceback__)
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise Refused(
            f"TVM's ONNX frontend does not take the model: {reason}",
            kind="unsupported",
            node=(node.name or node.output[0]) if node is not None else None,
            op=node.op_type if node is not None else None,
        ) from error
    if variant == "fp16":
        passes = [relax.transform.ToMixedPrecision(out_dtype="float32"), relax.transform.DeadCodeElimination()]
        module = tvm.transform.Sequential(passes)(module)
    return module


def _node_at_fault(trace: TracebackType | None) -> onnx.NodeProto | None:
    """The frontend's errors don't say which node they are about; its loop over the nodes is in the traceback."""
    found = None
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "_construct_nodes":
            found = trace.tb_frame.f_locals.get("node")
        trace = trace.tb_next
    return found
