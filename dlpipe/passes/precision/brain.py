"""bfloat16 inside, float32 outside."""

import contextlib

import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph.infra import Rewritten, Work, opset
from ..graph.raising import raise_opset
from ..sensitivity.search import Group
from .short import ShortFloat

_FULL_OPSET = 22  # since which Conv, pooling and LSTM take bfloat16


class BrainFloat(ShortFloat):
    """Compute and store in bfloat16; inputs and outputs stay float32.

        x(f32) -> Conv(W f32) -> Relu -> y(f32)
        becomes
        x(f32) -> Cast(bf16) -> Conv(W bf16) -> Relu -> Cast(f32) -> y(f32)

    Requires a float32 model (no quantisers). Raises the operator set to 22 where it can be; below, Conv and others take
    no bfloat16 and stay in float32 between Casts, as does what params["keep"] names (nodes or operators). float32's
    range, so nothing overflows; 8 bits, so lossy: relative error about 4e-3 per operation. ONNX Runtime on a CPU has no
    kernels for it: where such a model is run here, it is emulated (ir/graph/emulating.py), and said so.
    """

    short = ir.DataType.BFLOAT16

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """Of the later operator set: `model` is brought to it, where it can be."""
        with contextlib.suppress(Refused):
            raise_opset(model, _FULL_OPSET, "bfloat16")
        return super().candidates(model, keep)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        try:
            notes = raise_opset(model, _FULL_OPSET, "bfloat16 of every operator")
        except Refused as refused:
            notes = []
            work.note(f"operator set {opset(model)} stays, so Conv and others do: {refused}", level="warning")
        made = super().rewrite(model, work)
        made.changes[:0] = notes
        return made
