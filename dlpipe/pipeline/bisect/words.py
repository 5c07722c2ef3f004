"""What was found, in sentences: for the terminal, the report, and the README of a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlpipe.pipeline.bisect.bisect import Bisected

_SHOWN = 5


def lines(found: Bisected) -> Iterator[str]:
    """For the terminal."""
    samples = "1 sample" if found.samples == 1 else f"{found.samples} samples"
    if found.agree is None:
        yield f"no verdict on {samples}: {found.fidelity['reason']}"
    elif found.agree:
        yield f"they agree on {samples}: nothing to look for"
    else:
        yield f"they DISAGREE on {samples}: {found.fidelity['reason']}"
    if len(found.steps) > 1 or found.agree is not False:
        for step in found.steps:
            yield f"  {step['from']} -> {step['to']}: {_agreement(step)}"
    if found.found is not None:
        yield ""
        if found.found.get("reference_departs"):
            yield f"it is on A's side: {found.found['step']['from']} departs from {found.found['step']['to']}"
        yield from _where(found.found)
    for each in found.not_looked_into:
        yield f"not looked into: {each}"
    if found.bundle is not None:
        yield f"to see it again: {found.bundle}/README.md"


def _agreement(step: Mapping[str, Any]) -> str:
    verdict = {True: "agrees", False: "DEPARTS", None: "no verdict"}[step["passed"]]
    figures = [f"{key} {step[key]:.3g}" for key in ("max_rel", "cosine") if step.get(key) is not None]
    return f"{verdict} ({', '.join(figures)})" if figures else verdict


def _where(found: Mapping[str, Any]) -> Iterator[str]:
    if "verdict" not in found:
        return
    if found["verdict"] == "layer":
        until = f" (up to {found['agrees_until']} it agrees)" if found["agrees_until"] else ""
        yield f"it departs at the layer {found['layer']}{until}"
    elif "nodes" in found and "values" in found:
        yield from _compiled(found)
    elif found["first"] is None:
        yield "executed node by node they agree: ONNX Runtime's optimisation of the whole graph makes them part,"
        yield "or it takes other samples than the few that were looked at"
    else:
        yield sentence(found)
        yield from _more(found)
    if found.get("part"):
        shown = ", ".join(found["part"][:_SHOWN]) + (", ..." if len(found["part"]) > _SHOWN else "")
        count = "1 node" if len(found["part"]) == 1 else f"{len(found['part'])} nodes"
        yield f"  the smallest part that still departs: {count}: {shown}"


def _compiled(found: Mapping[str, Any]) -> Iterator[str]:
    """Of a black box, of which parts were compiled."""
    if "in_part" in found:
        yield f"the first part that departs is {found['in_part']}"
    yield compiled_sentence(found)
    yield f"  {found['compiled']} parts were compiled with {found['tool']} and executed"


def compiled_sentence(found: Mapping[str, Any]) -> str:
    nodes = ", ".join(f"{each['node']} ({each['op']})" for each in found["nodes"][:_SHOWN])
    alone = {
        "node": "Compiled alone and fed with the reference's values it departs too: it is wrong by itself",
        "together": "Compiled alone it agrees: errors add up, or it is wrong together with its neighbours only",
        "somewhere": "Whether it departs when it is compiled alone could not be told",
    }[found["verdict"]]
    what = "node" if len(found["nodes"]) == 1 else "nodes, between which it could not be cut,"
    return (
        f"the first {what} that {'departs is' if what == 'node' else 'depart are'} {nodes}: {found['reason']}. {alone}"
    )


def sentence(found: Mapping[str, Any]) -> str:
    """The first node, and whether it is to blame."""
    first = found["first"]
    own, alone = first["own"]["reason"], first["alone"]["reason"]
    at = f"the first node that departs is {named(first)}: {own or alone}"
    if found["verdict"] == "node":
        said = "" if own == alone else f" ({_reason(first['alone'])})"
        return f"{at}. It is wrong by itself: fed with the reference's values it departs too{said}"
    return f"{at}. No node before it is wrong by itself: their errors add up"


def named(row: Mapping[str, Any]) -> str:
    """A node with its operator, and the reference's where that is another."""
    other = row["reference_node"]
    source = f", in the reference {other} ({row['reference_op']})" if other and other != row["node"] else ""
    return f"{row['node']} ({row['op']}){source}"


def _more(found: Mapping[str, Any]) -> Iterator[str]:
    first = found["first"]
    if first["segment"]:
        yield f"  with what belongs to it: {', '.join(first['segment'][:_SHOWN])}"
    others = [each for each in found["wrong"] if each["node"] != first["node"]]
    if others:
        yield f"  wrong by themselves too: {', '.join(named(each) for each in others[:_SHOWN])}"
    if found["verdict"] == "accumulates":
        for each in found["largest"][:_SHOWN]:
            yield f"  adds most: {named(each)}: {_reason(each['alone'])}"


def _reason(figures: Mapping[str, Any]) -> str:
    if figures.get("reason") and figures["passed"] is False:
        return str(figures["reason"])
    parts = [f"{key} {figures[key]:.3g}" for key in ("max_rel", "cosine") if figures.get(key) is not None]
    return ", ".join(parts) or str(figures.get("reason"))
