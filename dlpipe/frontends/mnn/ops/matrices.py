"""Matrix products, and reductions."""

from __future__ import annotations

from ..step import Step, operator
from ..weights import read_weights

_REDUCTIONS = {0: "ReduceSum", 1: "ReduceL1", 2: "ReduceSumSquare", 3: "ReduceMean", 4: "ReduceMax", 5: "ReduceMin",
               6: "ReduceProd"}  # fmt: skip


@operator("InnerProduct")
def _inner_product(step: Step) -> None:
    step.expect()
    table = step.op.table("InnerProduct")
    outputs, axis = int(table.number(0, "int32")), int(table.number(5, "int32"))
    if outputs < 1 or table.number(6, "bool", False):
        step.unsupported(f"it has {outputs} outputs, or its weights are turned")
    weights = read_weights(step.op, table.array(3, "float32"), table.table(7), outputs)
    bias = table.array(4, "float32")
    if not weights.size or weights.size % outputs or bias.size not in (0, outputs):
        step.fail(f"{weights.size:,} weights and {bias.size} biases for {outputs} outputs")
    if step.axis(axis, step.rank()) != 1:
        step.unsupported(f"its axis is {axis}")
    flat = step.node("Flatten", [step.value], axis=1)
    inputs = [flat, step.constant(weights.reshape(outputs, -1), "weight")]
    step.out("Gemm", [*inputs, *([step.constant(bias, "bias")] if bias.size else [])], transB=1)


@operator("MatMul", "BatchMatMul")
def _matmul(step: Step) -> None:
    step.expect((2, 3))
    if step.op.type == "MatMul":
        table = step.op.table("MatMul")
        turned = [bool(table.number(slot, "bool", False)) for slot in (1, 2)]
        if table.array(3, "float32").size:
            step.unsupported("its weights are in it")
    else:
        table = step.op.table("BatchMatMulParam")
        turned = [bool(table.number(slot, "bool", False)) for slot in (0, 1)]
    operands = []
    for value, turn in zip(step.inputs[:2], turned, strict=True):
        rank = step.rank(value)
        if rank < 2:
            step.unsupported("it multiplies vectors")
        perm = [*range(rank - 2), rank - 1, rank - 2]
        operands.append(step.node("Transpose", [value], perm=perm) if turn else value)
    made = step.node("MatMul", operands)
    step.name_top(step.node("Add", [made, step.inputs[2]]) if len(step.inputs) == 3 else made)


@operator("Reduction")
def _reduction(step: Step) -> None:
    step.expect((1, 2))
    table = step.op.table("ReductionParam")
    kind = int(table.number(0, "int8"))
    if kind not in _REDUCTIONS:
        step.unsupported(f"its operation {kind} is not converted")
    if float(table.number(2, "float32", 0.0)) not in (0.0, 1.0):
        step.unsupported("it has a factor")
    axes = step.constant_input(1) if len(step.inputs) == 2 else [int(each) for each in table.array(1, "int32")]
    rank = step.rank()
    chosen = sorted({step.axis(each, rank) for each in axes}) or list(range(rank))
    step.out(
        _REDUCTIONS[kind], [step.value, step.ints(chosen, "axes")], keepdims=int(bool(table.number(3, "bool", False)))
    )
