"""Train a model's weights on the user's data, the original as its teacher."""

from pathlib import Path

import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph.infra import GraphPass, Rewritten, Work
from ..torch_module import weights
from . import running
from .preparing import prepare

_PRECISIONS = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


class FineTune(GraphPass):
    """Train the weights in place; the graph's structure stays.

        x -> Conv(W, b) -> Relu -> Gemm(V, c) -> y
        becomes
        x -> Conv(W', b') -> Relu -> Gemm(V', c') -> y

    Requires a float32 model whose operators torch can go back through (`ops/`; a refusal names the node), samples to
    train on ("train"), and labels there or a teacher whose outputs count. "teacher" is an IR folder with the same
    inputs and outputs: the original for a pruned or narrower copy, or for the user's own network; without one it is the
    model itself as it comes in, which keeps it near what it was. Ensures that no node changed. Lossy: weights differ;
    the best on the part of the training data that is held out are kept, and these are never worse there than the ones
    that came in. Constants, bounds and what only normalises an input are not trained (`weights.py`).

    The loss is hard * (cross-entropy, or squared error) + soft * (distance from the teacher's outputs at `temperature`,
    Hinton et al. 2015) + feature_weight * (distance at intermediate values, Romero et al. 2015) + attention_weight *
    (attention transfer, Zagoruyko and Komodakis 2017). AdamW or SGD, warm-up and a cosine. The parameters are those of
    `settings.Settings`. TensorBoard's files lie in `training/<number>-fine-tune/` of the output. With several processes
    (`ranks.py`) each has its part of every batch.
    """

    def __init__(self, events: Path) -> None:
        self._events = events

    def requires(self, model: ir.Model) -> None:
        require_floats(model)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        state, details = running.lead(model, work, self._events, prepare)
        changed = weights.write(model, {name: tensor.numpy() for name, tensor in state.best.items()})
        changes = [f"{len(changed)} tensors of weights trained for {state.step} steps"] if changed else []
        return Rewritten(model, changes, details)


def require_floats(model: ir.Model) -> None:
    for value, tensor in weights.stored(model):
        if tensor.dtype in _PRECISIONS:
            raise Refused(
                f"{value.name!r} is stored in {tensor.dtype}: only float32 is trained",
                kind="unsupported",
                hint="train first, reduce the precision then",
            )
    for node in model.graph:
        if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
            raise Refused(
                "a quantised model is not fine-tuned in floats",
                kind="unsupported",
                hint="use the pass qat, or fine-tune before quantising",
                node=node.name,
                op=node.op_type,
            )
