"""A short float where the model bears it, float32 where it does not."""

from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph.infra import GraphPass, Rewritten, Work
from ..sensitivity.each import SAMPLES, limit_of, load, lowered
from ..sensitivity.judging import Judge
from ..sensitivity.search import Found, Group, smallest_keep
from .brain import BrainFloat
from .half import HalfPrecision
from .losses import Loss, losses
from .short import ShortFloat

_FORMATS: dict[str, type[ShortFloat]] = {"fp16": HalfPrecision, "bf16": BrainFloat}


class MixedPrecision(GraphPass):
    """float16 (or bfloat16) inside, with the smallest islands of float32 that keep the outputs within a limit.

        x(f32) -> Conv -> Pow -> ReduceMean -> Sqrt -> Div -> y(f32), where Pow overflows float16
        becomes
        x -> Cast(f16) -> Conv(f16) -> Cast(f32) -> Pow -> ReduceMean -> Sqrt -> Cast(f16) -> Div(f16) -> Cast(f32) -> y

    Requires samples and a float model. A value that overflows takes the node that makes it and those that read it into
    float32. Of the others, those whose results lose most by rounding come first, and as few as hold the limit are kept:
    params["sqnr_db"], ["cosine"], ["agreement"] and ["kl"] of the outputs against the float model's, 0 for no limit.
    Bisected (passes/sensitivity), each try with float16 emulated as hardware computes it, since ONNX Runtime on a CPU
    hides overflow. params["keep"] stays in float32 in any case. Ensures that the limit was measured to hold. Lossy.
    """

    def requires(self, model: ir.Model) -> None:
        HalfPrecision().requires(model)

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        chosen = _format(work.params["format"])
        samples = work.inputs["samples"] / "samples.npz"
        given = frozenset(work.params["keep"])
        seen = losses(model, chosen.short, samples, work.progress)
        forced = given | _around_overflow(seen)
        by_node = _by_node(seen)
        able = chosen().candidates(load(work.inputs["ir"]), forced)
        groups = [Group(group.name, group.nodes, by_node.get(group.name, 0.0)) for group in able]
        judge = Judge(work.inputs["ir"], samples, SAMPLES)
        asked = Work({"keep": sorted(given)}, work.inputs, work.note, work.progress)
        tried = 0

        def measure(keep: frozenset[str]) -> Any:
            nonlocal tried
            tried += 1
            work.progress(f"choosing what stays in float32, try {tried}", None)
            return judge.measure(lowered(chosen, work.inputs["ir"], asked, keep))

        found = smallest_keep(groups, measure, limit_of(work.params), forced=forced)
        if not found.met:
            raise Refused(
                f"the outputs miss the limit even with every node in float32: {found.figures.sqnr_db:.1f} dB",
                kind="unsupported",
                hint="set a limit that can be held",
            )
        if len(found.kept) > len(groups) // 2:
            work.note(f"{len(found.kept)} of {len(groups)} nodes stay in float32: little is gained at this limit")
        keep = Work({"keep": sorted(found.nodes | forced)}, work.inputs, work.note, work.progress)
        made = chosen().rewrite(model, keep)
        made.details |= _details(found, forced - given, judge.count)
        return made


def _format(name: str) -> type[ShortFloat]:
    if name not in _FORMATS:
        raise Refused(f"format={name!r} is not one of {', '.join(_FORMATS)}", kind="unsupported")
    return _FORMATS[name]


def _around_overflow(seen: dict[ir.Value, Loss]) -> frozenset[str]:
    """The nodes that make or read a value that the short float cannot hold."""
    found = set()
    for value, loss in seen.items():
        if loss.overflows:
            maker = value.producer()
            found |= {str(node.name) for node in value.consumers()} | (
                {str(maker.name)} if maker is not None else set()
            )
    return frozenset(found)


def _by_node(seen: dict[ir.Value, Loss]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value, loss in seen.items():
        maker = value.producer()
        if maker is not None:
            found[str(maker.name)] = max(found.get(str(maker.name), 0.0), loss.share)
    return found


def _details(found: Found, overflowed: frozenset[str], samples: int) -> dict[str, Any]:
    return {
        "overflowed": sorted(overflowed),
        "chosen_float": sorted(group.name for group in found.kept),
        "outputs": found.figures.as_dict(),
        "evaluations": found.evaluations,
        "judged_on": samples,
    }
