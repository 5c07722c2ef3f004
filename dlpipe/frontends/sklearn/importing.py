"""An estimator or booster -> ONNX with the domain ai.onnx.ml, one row per sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from . import loading
from .original import classes, library

OPSET, ML_OPSET = 18, 3
BOOSTER_OPSET = 15  # the newest that onnxmltools writes
_INPUT = "x"


def import_model(request: Request) -> dict[str, Any]:
    """Writes model.onnx and contract.json; returns the contract."""
    from pathlib import Path

    model = loading.load(request)
    columns = _columns(model, request.params["inputs"])
    proto = _convert(model, columns)
    batch = request.params["dims"].get(ports.BATCH, ports.BATCH)
    inputs = [
        ports.port(name, "str" if kind == "str" else np.dtype(kind).name, [batch, width])
        for name, (kind, width) in columns.items()
    ]
    known = classes(model)
    outputs = [_output(value, batch, len(known) if known else None) for value in proto.graph.output]
    _settle(proto, [*inputs, *outputs])
    emit.write(proto, Path(request.out) / "model.onnx")
    metadata = {"columns": len(columns) > 1, "estimator": type(model).__name__}
    labels = [str(each) for each in known] if known else []
    return ports.write_contract(request.out, inputs, outputs, labels, metadata)


def _columns(model: Any, told: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Input name -> (dtype, width): one matrix of float32, or what the user says of each column."""
    if told:
        found = {name: (str(each.get("dtype") or "float32"), int(each["shape"][-1])) for name, each in told.items()}
        for name, (kind, _) in found.items():
            if kind not in ("str", "float32", "float64", "int64", "bool"):
                raise Refused(f"the column {name} cannot be {kind}", hint="float32, float64, int64, bool or str")
        total, wanted = sum(width for _, width in found.values()), _width(model)
        if wanted not in (None, total):
            raise Refused(f"--input tells of {total} columns, and the model takes {wanted}")
        return found
    width = _width(model)
    if width is None:
        raise Refused(
            f"{type(model).__name__} does not tell how many columns it takes",
            hint="--input x:1x<columns>, or each column by its name: --input age:1x1 --input city:1x1:str",
        )
    if library(model) == "sklearn" or hasattr(model, "n_features_in_"):
        _refuse_text(model)
    return {_INPUT: ("float32", width)}


def _width(model: Any) -> int | None:
    """How many columns it takes, where it knows."""
    if library(model) == "sklearn" or hasattr(model, "n_features_in_"):
        width = getattr(model, "n_features_in_", None)
    else:
        width = model.num_features() if library(model) == "xgboost" else model.num_feature()
    return None if width is None else int(width)


def _refuse_text(model: Any) -> None:
    """Steps that choose columns by name want a table, not a matrix."""
    steps = [step for _, step in getattr(model, "steps", [])] or [model]
    if any(type(step).__name__ == "ColumnTransformer" for step in steps):
        names = getattr(model, "feature_names_in_", None)
        if names is not None:
            example = " ".join(f"--input {name}:1x1:<dtype>" for name in list(names)[:3])
            raise Refused("the model takes a table with named columns", hint=f"tell each column's type: {example} ...")


def _convert(model: Any, columns: Mapping[str, tuple[str, int]]) -> Any:
    name = library(model)
    if name == "sklearn":
        return _from_sklearn(model, columns)
    if len(columns) > 1:
        raise Refused("a booster takes one matrix", hint="leave --input out")
    return _from_booster(model, name, next(iter(columns.items())))


def _from_sklearn(model: Any, columns: Mapping[str, tuple[str, int]]) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types as types
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    kinds = {
        "float32": types.FloatTensorType,
        "float64": types.DoubleTensorType,
        "int64": types.Int64TensorType,
        "bool": types.BooleanTensorType,
        "str": types.StringTensorType,
    }
    initial = [(name, kinds[kind]([None, width])) for name, (kind, width) in columns.items()]
    options = {"zipmap": False, "nocl": True} if classes(model) is not None else {}
    if options and not hasattr(model, "predict_proba"):
        options["raw_scores"] = True
    targets = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    try:
        while True:
            chosen = {id(model): options} if options else None
            try:
                return convert_sklearn(model, "model", initial, options=chosen, target_opset=targets)
            except NameError as error:  # this kind of estimator does not have all of these options
                foreign = next((name for name in options if f"'{name}'" in str(error).partition(" not in ")[0]), None)
                if foreign is None:
                    raise
                del options[foreign]
    except (MissingConverter, MissingShapeCalculator) as error:
        what = str(error).splitlines()[0]
        raise Refused(f"skl2onnx has no converter for a part of the model: {what[:300]}", kind="unsupported") from error
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        raise Refused(
            f"skl2onnx cannot convert the model: {str(error).splitlines()[0][:300]}", "unsupported"
        ) from error


def _from_booster(model: Any, name: str, column: tuple[str, tuple[str, int]]) -> Any:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    initial = [(column[0], FloatTensorType([None, column[1][1]]))]
    try:
        if name == "xgboost":
            objective = _objective(model)
            if not hasattr(model, "fit"):
                model.feature_names = None  # the converter wants f0, f1 ...
            proto = onnxmltools.convert_xgboost(model, initial_types=initial, target_opset=BOOSTER_OPSET)
            return _with_sigmoid(proto) if objective == "reg:logistic" else proto
        return onnxmltools.convert_lightgbm(model, initial_types=initial, target_opset=BOOSTER_OPSET, zipmap=False)
    except (NotImplementedError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise Refused(
            f"onnxmltools cannot convert the model: {str(error).splitlines()[0][:300]}", "unsupported"
        ) from error


def _with_sigmoid(proto: Any) -> Any:
    """onnxmltools 1.16.0 leaves out what turns the trees' sum into a probability, and takes the base for a sum."""
    from onnx import helper

    name = proto.graph.output[0].name
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name == "base_values":
                attribute.floats[:] = [math.log(base / (1 - base)) for base in attribute.floats]
        node.output[:] = [f"{each}_sum" if each == name else each for each in node.output]
    proto.graph.node.append(helper.make_node("Sigmoid", [f"{name}_sum"], [name], name="Sigmoid"))
    return proto


def _objective(model: Any) -> str:
    """Raises Refused for a booster without trees."""
    import json

    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(booster.save_config())["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind not in ("gbtree", "dart"):
        raise Refused(f"a booster of the kind {kind} is not handled", kind="unsupported", op=kind)
    return str(learner["objective"]["name"])


def _output(value: Any, batch: Any, known: int | None) -> dict[str, Any]:
    from onnx import helper

    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    widths = [dim.dim_value for dim in tensor.shape.dim][1:]
    if value.name == "label" and known:
        widths = []
    if value.name == "probabilities" and known:
        widths = [known]
    if any(width <= 0 for width in widths):
        raise Refused(f"how wide the output {value.name} is cannot be told", kind="unsupported")
    return ports.port(value.name, dtype, [batch, *widths])


def _settle(proto: Any, told: list[dict[str, Any]]) -> None:
    """Shapes at the ends as the contract has them, and every operator set named once."""
    by_name = {port["name"]: port for port in told}
    for value in (*proto.graph.input, *proto.graph.output):
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for dim in by_name[value.name]["shape"]:
            shape.dim.add(**({"dim_param": dim} if isinstance(dim, str) else {"dim_value": dim}))
    del proto.graph.value_info[:]
    opsets = {each.domain: each.version for each in proto.opset_import}
    opsets.setdefault("", BOOSTER_OPSET)
    del proto.opset_import[:]
    for domain, version in sorted(opsets.items()):
        proto.opset_import.add(domain=domain, version=version)
    proto.ir_version = emit.IR_VERSION
    proto.graph.name = "model"  # onnxmltools draws a random one
    proto.producer_name, proto.producer_version, proto.doc_string = "dlpipe", "", ""
