"""Products of matrices."""

from __future__ import annotations

from .convolutions import bias_value
from .handlers import handles
from .hybrid import is_hybrid, rounded
from .reading import Operator
from .schema import ACTIVATIONS
from .scope import Scope


@handles("FULLY_CONNECTED", note="shuffled weights (4x16) are refused")
def fully_connected(scope: Scope, op: Operator) -> None:
    """Weights [out, in]. The data is a list of vectors, whatever its shape; keep_num_dims keeps that."""
    data, weights, out = op.inputs[0], op.inputs[1], op.outputs[0]
    if op.options["weights_format"]:
        raise op.refuse("has shuffled weights")
    units, width = scope.tensor(weights).shape
    name, activation = scope.name(out), ACTIVATIONS[op.options["activation"]]
    if width is None or units is None:
        raise op.refuse("has weights of a free shape")
    x, shape = scope.real(data), scope.tensor(data).shape
    if len(shape) != 2 or shape[1] != width:
        x = scope.node("Reshape", [x, scope.const([-1, width], f"{name}__vectors", "int64")], f"{name}__vectors")
    if is_hybrid(scope, data, weights):
        x = rounded(scope, x, name, [1])
    inputs = [x, scope.real(weights)]
    if scope.has(op, 2):
        inputs.append(bias_value(scope, op, data, weights, op.inputs[2]))
    flat = not op.options["keep_num_dims"] or len(shape) == 2
    if flat:
        scope.result(out, "Gemm", inputs, real=True, activation=activation, transB=1)
        return
    made = scope.node("Gemm", inputs, name, transB=1)
    if shape.count(None) <= 1:
        target = scope.const([-1 if dim is None else dim for dim in (*shape[:-1], units)], f"{name}__shape", "int64")
    else:
        begin = scope.node("Shape", [scope.real(data)], f"{name}__shape", end=len(shape) - 1)
        target = scope.node(
            "Concat", [begin, scope.const([units], f"{name}__units", "int64")], f"{name}__shape", axis=0
        )
    scope.result(out, "Reshape", [made, target], real=True, activation=activation)


@handles("BATCH_MATMUL")
def batch_matmul(scope: Scope, op: Operator) -> None:
    """adj_x, adj_y: the last two dims of that input change places first."""
    left, right = op.inputs[0], op.inputs[1]
    name = scope.name(op.outputs[0])
    x, y = scope.real(left), scope.real(right)
    if is_hybrid(scope, left, right):
        x = rounded(scope, x, name, [-2 if op.options["adj_x"] else -1])
    if op.options["adj_x"]:
        x = _adjoint(scope, x, scope.rank(left), name)
    if op.options["adj_y"]:
        y = _adjoint(scope, y, scope.rank(right), name)
    scope.result(op.outputs[0], "MatMul", [x, y], real=True)


def _adjoint(scope: Scope, value: str, rank: int, name: str) -> str:
    order = [*range(rank - 2), rank - 1, rank - 2]
    return scope.node("Transpose", [value], f"{name}__adjoint", perm=order)
