"""Another operator set."""

from functools import partial

import onnx
import onnx_ir as ir
from dlpipe_worker import Refused

from . import inference
from .infra import GraphPass, Rewritten, Work, opset
from .opset_down import lower_opset
from .raising import raise_opset

_OLDEST = 7  # ONNX Runtime executes from here on


class Opset(GraphPass):
    """Bring the standard operators to params["version"], up or down.

        Unsqueeze(x, axes) (13)                 Unsqueeze<axes>(x) (11)
        Gelu(x) (20)                            Div -> Erf -> Add -> Mul -> Mul (13)
        Reshape, Relu (13)                      Reshape, Relu (21)

    Up: ONNX's own converter. Down: what is said in another way in the older set is said in that way; an operator that
    the older set does not have is replaced by its definition in ONNX (`opset_expand.py`); attributes that say no more
    than the older set does anyway are left out. Nested graphs too; functions are written out. Without a version, or
    with the model's own, nothing is done. Requires a set from 7 to the newest that ONNX knows. Refuses, with the node
    named, what the set asked for cannot express. Ensures that each operator is one of that set, its attributes, number
    of inputs and types included. Exact: the same arithmetic.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        wanted, newest = work.params["version"], onnx.defs.onnx_opset_version()
        before = opset(model)
        if wanted in (0, before):
            return Rewritten(model, [])
        if type(wanted) is not int or not _OLDEST <= wanted <= newest:
            raise Refused(f"there is no operator set {wanted!r} here: from {_OLDEST} to {newest}", kind="unsupported")
        change = partial(raise_opset, why="what was asked for") if wanted > before else lower_opset
        changes = change(model, wanted)
        inference.refuse_contradictions(model, f"the model in operator set {wanted}")
        return Rewritten(model, changes)
