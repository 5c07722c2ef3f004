"""Sparsity: the smallest weights become zero, the shapes stay."""

import re
import zlib
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work, constant
from .magnitude import SCOPES, Goal, masks, weights

_COMPRESSED = 64 << 20  # bytes of weights up to which it is tried how far they shrink


class PruneWeights(GraphPass):
    """Set the smallest weights of convolutions and matrix products to exactly zero.

        x -> Conv([.8, -.1, .05, -.6]) -> y      becomes      x -> Conv([.8, 0, 0, -.6]) -> y

    Requires stored float weights. Ensures the asked-for part of zeros, or the pattern. Lossy. No runtime here is faster
    for it: the gain is the size of a compressed file, and kernels elsewhere (2:4 on NVIDIA's tensor cores). params:
    sparsity, the part that goes; scope: "global" ranks all layers together, "layer" takes the same part of each;
    pattern: "" for any place, "2:4" (or another n:m) keeps n of every m neighbours along the axis that is summed over,
    and takes sparsity and scope from that; exclude: names of nodes that stay whole. Train afterwards with
    `fine-tune keep_zeros=true`, or use `sparsify`, which does both by turns. Source: Han et al. 2015.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        goal = goal_of(work.params)
        lifted = common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified
        found = candidates(model, work.params["exclude"])
        before = {name: constant(value) for name, (value, _, _) in found.items()}
        kept = masks(before, {name: axis for name, (_, axis, _) in found.items()}, goal)
        if not kept:
            raise Refused(
                f"no weight can be cut to {work.params['pattern']}: no axis divides by it", kind="unsupported"
            )
        changes = ["constants are initializers"] if lifted else []
        for name, mask in kept.items():
            array = np.where(mask, before[name], before[name].dtype.type(0))
            if array.tobytes() != before[name].tobytes():
                found[name][0].const_value = ir.tensor(array, name=name)
                changes.append(f"{name}: {np.mean(array == 0):.1%} zeros")
        after = {name: constant(value) for name, (value, _, _) in found.items()}
        return Rewritten(model, changes, report(found, before, after))


def goal_of(params: Any) -> Goal:
    """Raises Refused for what makes no sense."""
    sparsity, pattern, scope = params["sparsity"], params["pattern"], params["scope"]
    if isinstance(sparsity, bool) or not isinstance(sparsity, int | float) or not 0.0 < sparsity < 1.0:
        raise Refused(f"sparsity={sparsity!r} must be a part between 0 and 1", kind="unsupported")
    if scope not in SCOPES:
        raise Refused(f"scope={scope!r} is not one of {', '.join(SCOPES)}", kind="unsupported")
    if not pattern:
        return Goal(float(sparsity), None, scope)
    stated = re.fullmatch(r"(\d+):(\d+)", str(pattern))
    n, m = (int(each) for each in stated.groups()) if stated else (0, 0)
    if not 0 < n < m:
        raise Refused(f"pattern={pattern!r} is not of the form n:m with n below m, as 2:4", kind="unsupported")
    return Goal(1.0 - n / m, (n, m), scope)


def candidates(model: ir.Model, exclude: list[str]) -> dict[str, tuple[ir.Value, int, str]]:
    """The weights of all products. Raises Refused where there are none, or one is not finite."""
    names = {str(node.name) for node in model.graph.all_nodes()}
    for name in exclude:
        if name not in names:
            raise Refused(f"exclude: there is no node {name!r}", kind="unsupported")
    found = weights(model, exclude)
    if not found:
        raise Refused("there are no stored float weights of convolutions or matrix products", kind="unsupported")
    for name, (value, _, node) in found.items():
        if not np.isfinite(constant(value)).all():
            raise Refused(f"the weight {name!r} is not finite", node=node)
    return found


def report(found: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """How many zeros there are, in all and in each layer, and what the weights weigh compressed."""
    total = sum(array.size for array in after.values())
    zeros = {name: int((array == 0).sum()) for name, array in after.items()}
    return {
        "weights": total,
        "sparsity": sum(zeros.values()) / total,
        "layers": [[found[name][2], after[name].size, zeros[name] / after[name].size] for name in after],
        "gzip_bytes": {"before": _compressed(before), "after": _compressed(after)},
    }


def _compressed(arrays: dict[str, Any]) -> int | None:
    """Bytes after DEFLATE (gzip); None where trying would take too long."""
    if sum(array.nbytes for array in arrays.values()) > _COMPRESSED:
        return None
    packer = zlib.compressobj()
    return sum(len(packer.compress(np.ascontiguousarray(array).tobytes())) for array in arrays.values()) + len(
        packer.flush()
    )
