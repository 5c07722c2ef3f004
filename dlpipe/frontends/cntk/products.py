"""Matrix products. CNTK's `Times(W, x)` multiplies all axes that both have in common."""

from __future__ import annotations

import math

from .graph import Function
from .operators import converts, name_of
from .writer import Value, Writer


@converts("Times", "TransposeTimes")
def _times(writer: Writer, function: Function, inputs: list[Value]) -> Value:
    """In numpy's order: x [..., rest, in] times W [in, out] is [..., rest, out]; in and out may be several axes."""
    weight, value = inputs[0], inputs[1]
    out_rank = int(function.attributes.get("outputRank", 1))
    dims = writer.fixed(function, weight)
    if name_of(function.op) == "TransposeTimes":
        if len(dims) > 2 or out_rank != 1:
            raise writer.unsupported(function, "a transposed product of more than two axes")
        dims = [1] * (2 - len(dims)) + dims  # a vector is one row
        weight, dims = _turned(writer, function, weight, dims), dims[::-1]
    if not 0 <= out_rank <= len(dims):
        raise writer.bad(function, f"an output of {out_rank} axes from weights of {len(dims)}")
    in_rank = len(dims) - out_rank
    taken, made = math.prod(dims[:in_rank]), dims[in_rank:]
    shape = writer.static(function, value)
    if len(shape) < in_rank:
        raise writer.bad(function, f"weights for {in_rank} axes and a value with {len(shape)}")
    rest = shape[: len(shape) - in_rank]
    found = [dim for dim in shape[len(rest) :] if isinstance(dim, int)]
    if len(found) == in_rank and math.prod(found) != taken:
        raise writer.bad(function, f"weights for {taken} numbers and a value of {math.prod(found)}")
    if any(not isinstance(dim, int) for dim in rest) and (in_rank != 1 or len(made) != 1):
        raise writer.unsupported(function, "a product over several axes of a value of free shape")
    lead = weight if weight.dynamic > value.dynamic else value
    kept = [0] * value.dynamic + [dim if isinstance(dim, int) else 0 for dim in rest]
    flat = value.name
    if in_rank != 1:
        flat = writer.emit(function, "Reshape", [flat, writer.ints(function, *kept, taken)])
    matrix = weight.name
    if len(dims) != 2 or in_rank != 1:
        sizes = [0] * weight.dynamic + [taken, math.prod(made)]
        matrix = writer.emit(function, "Reshape", [matrix, writer.ints(function, *sizes)])
    if weight.dynamic:
        return _both_vary(writer, function, flat, matrix, (value, weight, lead), made, list(rest))
    if len(made) == 1:
        return writer.finish(function, "MatMul", [flat, matrix], value)
    product = writer.emit(function, "MatMul", [flat, matrix])
    return writer.finish(function, "Reshape", [product, writer.ints(function, *kept, *made)], value)


def _turned(writer: Writer, function: Function, weight: Value, dims: list[int]) -> Value:
    name = writer.emit(function, "Reshape", [weight.name, writer.ints(function, *[0] * weight.dynamic, *dims)])
    order = [*range(weight.dynamic), weight.dynamic + 1, weight.dynamic]
    return Value(writer.emit(function, "Transpose", [name], perm=order), weight.dynamic)


def _both_vary(
    writer: Writer,
    function: Function,
    flat: str,
    matrix: str,
    operands: tuple[Value, Value, Value],
    made: list[int],
    rest: list[object],
) -> Value:
    """Weights that are computed: a product for each sample (and step)."""
    value, weight, lead = operands
    rows = math.prod(dim for dim in rest if isinstance(dim, int))
    taken = writer.graph.shape(flat)
    assert taken is not None
    last = taken[-1] if isinstance(taken[-1], int) else -1
    rowed = writer.emit(
        function, "Reshape", [flat, writer.ints(function, *[0] * value.dynamic, rows if last != -1 else -1, last)]
    )
    for each, name in ((value, "value"), (weight, "weight")):
        missing = list(range(each.dynamic, lead.dynamic))
        if missing:
            axes = writer.ints(function, *missing)
            if name == "value":
                rowed = writer.emit(function, "Unsqueeze", [rowed, axes])
            else:
                matrix = writer.emit(function, "Unsqueeze", [matrix, axes])
    product = writer.emit(function, "MatMul", [rowed, matrix])
    sizes = writer.ints(function, *[0] * lead.dynamic, *(dim if isinstance(dim, int) else -1 for dim in rest), *made)
    return writer.finish(function, "Reshape", [product, sizes], lead)
