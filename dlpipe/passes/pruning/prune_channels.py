"""Structured pruning: whole channels go, and the shapes shrink."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work
from . import importance
from .budget import Rounding, choose, least_important, relative_costs, uniform
from .cutting import cut
from .following import Traced, follow
from .groups import Sizes, find_groups
from .rules import RULES

_SHOWN = 5  # reasons in a message


class PruneChannels(GraphPass):
    """Cut the least important channels out of the graph.

        x -> Conv(W[64,3,3,3]) -> Relu -> Conv(V[10,64,3,3]) -> y
        becomes
        x -> Conv(W[32,3,3,3]) -> Relu -> Conv(V[10,32,3,3]) -> y

    Channels that other operators bind together (both sides of an addition, a depthwise convolution and the one before
    it, a Concat and who reads it) are found by following them through the graph (`following.py`, Fang et al. 2023) and
    cut together. What cannot be followed stays. The result computes what the model would with zeros for the weights
    that read the cut channels; it wants training afterwards.

    Requires a float model with stored weights and known sizes behind the batch. Ensures at most `macs` (a part: 0.5
    keeps half) of the multiply-accumulates with stored weights; those of recurrent layers, of nested graphs and of two
    activations are not counted. Lossy. params: macs; width: in its place, the share of its channels that each layer
    keeps (rounded up), as a width multiplier has it; criterion (`importance.py`); multiple: channel counts
    are multiples of it (16 fills the vectors of AVX-512 and 8 those of AVX2 and of most NPUs; a finer one leaves more
    choice, but in kernels of 16 channels 17 cost what 32 do); least: no layer falls below that many channels; exclude:
    names of nodes whose channels stay. With data to train on, `prune-channels-by-data` chooses better.
    """

    criteria: tuple[str, ...] = importance.BY_WEIGHTS

    def score(self, model: ir.Model, traced: Traced, work: Work) -> importance.Scores:
        del model
        return importance.by_weights(traced, work.params["criterion"])

    def costs(self, scores: Any, criterion: str) -> Any:
        """Of keeping 0, 1, 2 ... units of a group."""
        del criterion
        return relative_costs(scores)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        params = work.params
        target = _share("macs", params["macs"])
        width = _share("width", params["width"]) if params["width"] else None
        rounding = Rounding(_count(params, "multiple"), _count(params, "least"))
        if params["criterion"] not in self.criteria:
            known = ", ".join(self.criteria)
            raise Refused(f"criterion={params['criterion']!r} is not one of {known}", kind="unsupported")
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        traced = follow(model, RULES)
        _freeze(traced, params["exclude"])
        found = self.score(model, traced, work)
        groups = find_groups(traced)
        if not groups:
            raise Refused(f"no channel can be cut: {_frozen(traced)}", kind="unsupported")
        sizes = Sizes(traced, groups)
        scores = importance.of_units(traced, groups, found)
        whole = {number: len(group.units) for number, group in enumerate(groups)}
        if width is not None:
            kept = uniform(groups, width, rounding)
            if kept == whole:
                raise Refused(
                    f"width={width:g} leaves every layer as it is, with multiple={rounding.multiple} and "
                    f"least={rounding.least}",
                    kind="unsupported",
                )
        else:
            kept = choose(sizes, [self.costs(each, params["criterion"]) for each in scores], target, rounding)
        before, after = sizes.macs(whole), sizes.macs(kept)
        if width is None and after > target * before:
            raise Refused(
                f"macs={target:g} cannot be reached: with multiple={rounding.multiple} and least={rounding.least} at "
                f"least {after / before:.2f} are left; {_frozen(traced)}",
                kind="unsupported",
            )
        gone = {
            unit for number, group in enumerate(groups) for unit in least_important(group, scores[number], kept[number])
        }
        changes = cut(traced, gone)
        details = {
            "macs": {"before": before, "after": after},
            "groups": [
                {"layers": group.layers, "channels": [len(group.units) * group.width, kept[number] * group.width]}
                for number, group in enumerate(groups)
            ],
            "frozen": traced.frozen(),
        }
        return Rewritten(model, changes, details)


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise Refused(f"{name}={value!r} must be a part between 0 and 1 (0.5 keeps half)", kind="unsupported")
    return float(value)


def _count(params: Mapping[str, Any], name: str) -> int:
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refused(f"{name}={value!r} must be a whole number from 1 on", kind="unsupported")
    return value


def _freeze(traced: Traced, exclude: list[str]) -> None:
    """What the user excludes. Raises Refused for what cannot be counted or compared."""
    for product in traced.products:
        if product.positions is None:
            raise Refused(
                "sizes that are known only when the model runs cannot be counted: fix its input's shape first",
                kind="unsupported",
                node=product.node.name,
                op=product.node.op_type,
            )
        if not np.isfinite(product.weight.const_value.numpy()).all():
            raise Refused("a weight is not finite", node=product.node.name, op=product.node.op_type)
    named = {str(product.node.name): product for product in traced.products}
    for name in exclude:
        if name not in named:
            raise Refused(f"exclude: there is no layer {name!r} to prune", kind="unsupported")
        traced.units.freeze(traced.made_by(named[name]), f"exclude: {name}")


def _frozen(traced: Traced) -> str:
    shown = [f"{layer} by {reason}" for layer, reason in traced.frozen().items()]
    if not shown:
        return "no layer with stored weights makes any" if not traced.products else "nothing is frozen"
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"frozen are {', '.join(shown[:_SHOWN])}{more}"
