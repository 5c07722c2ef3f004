"""Worker: writes nets with Caffe2 itself. Runs in the caffe2 toolchain (Python 3.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation


@operation
def make(request: Request) -> dict[str, Any]:
    """none -> predict_net.pb, init_net.pb. params: operators (type, inputs, outputs, arguments), weights (name -> shape
    or values), data (names of inputs), outputs, text."""
    from caffe2.proto import caffe2_pb2
    from caffe2.python import core

    params = request.params
    predict, init = caffe2_pb2.NetDef(name="case"), caffe2_pb2.NetDef(name="init")
    for kind, inputs, outputs, arguments in params["operators"]:
        predict.op.extend([core.CreateOperator(kind, inputs, outputs, **arguments)])
    random = np.random.RandomState(7)
    for name, weight in sorted(params["weights"].items()):
        init.op.extend([_fill(name, weight, random)])
    predict.external_input.extend([*params["data"], *sorted(params["weights"])])
    predict.external_output.extend(params["outputs"])
    out = Path(request.out)
    if params.get("text"):
        out.joinpath("predict_net.pbtxt").write_text(str(predict))
        out.joinpath("init_net.pbtxt").write_text(str(init))
    elif params.get("one_file"):
        ops = list(init.op) + list(predict.op)
        del predict.op[:]
        predict.op.extend(ops)
        out.joinpath("predict_net.pb").write_bytes(predict.SerializeToString())
    else:
        out.joinpath("predict_net.pb").write_bytes(predict.SerializeToString())
        out.joinpath("init_net.pb").write_bytes(init.SerializeToString())
    return {}


def _fill(name: str, weight: Any, random: Any) -> Any:
    """weight: {"shape"}: random floats; {"values", "type"}: those; {"int8" or "int32", "scale"}: random codes."""
    from caffe2.python import core

    if "int8" in weight:
        codes = random.randint(60, 200, weight["int8"]).astype(np.uint8)
        return core.CreateOperator(
            "Int8GivenTensorFill", [], [name], shape=weight["int8"], values=codes.tobytes(), Y_scale=weight["scale"],
            Y_zero_point=weight["zero"],
        )  # fmt: skip
    if "int32" in weight:
        values = random.randint(-200, 200, weight["int32"])
        return core.CreateOperator(
            "Int8GivenIntTensorFill", [], [name], shape=weight["int32"], values=values.ravel().tolist(),
            Y_scale=weight["scale"], Y_zero_point=0,
        )  # fmt: skip
    if "values" in weight:
        array = np.array(weight["values"])
        kind = {"f": "GivenTensorFill", "i": "GivenTensorIntFill", "l": "GivenTensorInt64Fill"}[weight["type"]]
        return core.CreateOperator(kind, [], [name], shape=array.shape, values=array.ravel().tolist())
    array = random.uniform(weight.get("low", -1), weight.get("high", 1), weight["shape"])
    return core.CreateOperator("GivenTensorFill", [], [name], shape=weight["shape"], values=array.ravel().tolist())


@operation
def registered(request: Request) -> Any:
    """none -> value: the operators that this Caffe2 has."""
    del request
    from caffe2.python import workspace

    return sorted(workspace.RegisteredOperators())
