"""Which operators of a model a search can make faster on this machine, and that search, a round at a time."""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["TVM_NUM_THREADS"] = "1"  # read when the first operator runs

import tvm
from dlpipe_worker import Request, operation

from . import importing, measuring, scheduling, searching, workloads

_SMALL = 0.01  # of the model's time: an operator below it is not searched for
_FINALISTS = 3  # of an operator's candidates: compared with the untuned code by turns

Entry = dict[str, Any]  # what is known of one operator: contracts/tuning.py says what it holds


@dataclass
class _Model:
    """Kept from round to round. `operators`: key -> {"name", "count"}; `functions`: key -> its loops."""

    operators: dict[str, dict[str, Any]]
    functions: dict[str, tvm.tirx.PrimFunc]
    searches: dict[str, searching.Search] = field(default_factory=dict)


_OPEN: dict[str, _Model] = {}


@operation
def workloads_(request: Request) -> object:
    """ir -> {key: {"name", "count"}} of the model's operators. params: llvm, variant."""
    return _load(request).operators


@operation
def tune(request: Request) -> object:
    """ir, records -> `records.json`: what this round found out beyond the records that it was given.

    records: `records.json`, key -> what is known of that operator on this processor. params: llvm, variant, budget
    (seconds that all rounds together may take for this model), seconds (of this round), number (of the round), model
    (which ir it is). Returns {"finished": whether the budget is used up}.
    """
    params, started = request.params, time.monotonic()
    known: dict[str, Entry] = json.loads(Path(request.inputs["records"], "records.json").read_text(encoding="utf-8"))
    identity = json.dumps([params["llvm"], params["variant"], params["model"]])
    if identity not in _OPEN:
        request.progress("reading the model", 0.0)
        _OPEN.clear()
        _OPEN[identity] = _load(request)
    model = _OPEN[identity]
    target = tvm.target.Target({**params["llvm"], "num-cores": 1})
    fresh = {
        key: {"rule_seconds": _rule_seconds(function, target)}
        for key, function in model.functions.items()
        if "rule_seconds" not in known.get(key, {})
    }
    left = _left(model.operators, known, fresh, params["budget"])
    turns = 0  # one at least: the first round has the untuned code to time before
    while max(left.values(), default=0) > 0 and (turns == 0 or time.monotonic() - started < params["seconds"]):
        turns += 1
        key = max(left, key=lambda each: (left[each], each))
        left[key] -= _turn(model, key, target, known.get(key, {}), fresh.setdefault(key, {}), params["number"])
        rest = sum(each for each in left.values() if each > 0)
        said = _says(model.operators[key]["name"], known.get(key, {}), fresh[key])
        request.progress(said, max(0.0, 1 - rest / params["budget"]))
    for key, entry in fresh.items():
        _compare(model.functions[key], target, known.get(key, {}), entry)
    Path(request.out, "records.json").write_text(json.dumps(fresh, sort_keys=True) + "\n", encoding="utf-8")
    return {"finished": max(left.values(), default=0) <= 0}


def _load(request: Request) -> _Model:
    module = importing.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    target = tvm.target.Target(request.params["llvm"])
    loops = scheduling.loops(importing.to_relax(module, request.params["variant"]), target)
    functions = [each for _, each in loops.functions_items() if isinstance(each, tvm.tirx.PrimFunc)]
    fixed = [each for each in functions if all(0 not in shape for shape, _ in workloads.tensors_of(each))]
    return _Model(workloads.operators(loops), {workloads.key(each): each for each in fixed})


def _rule_seconds(function: Any, target: Any) -> float:
    built = measuring.build(scheduling.by_rule(function, target), target)
    return measuring.seconds(built, measuring.arguments(function))


def _left(
    operators: dict[str, Any], known: dict[str, Entry], fresh: dict[str, Entry], budget: float
) -> dict[str, float]:
    """Seconds still to be spent on each operator: the budget by the time that it takes in the model, less what it has
    had already, in this model or another."""
    rule = {key: {**fresh.get(key, {}), **known.get(key, {})}.get("rule_seconds", 0.0) for key in operators}
    costs = {key: each["count"] * rule[key] for key, each in operators.items()}
    whole = sum(costs.values())
    large = {key: cost for key, cost in costs.items() if cost >= _SMALL * whole > 0}
    return {
        key: budget * cost / sum(large.values()) - known.get(key, {}).get("spent", 0.0) for key, cost in large.items()
    }


def _turn(model: _Model, key: str, target: Any, known: Entry, entry: Entry, number: int) -> float:
    """Try a batch of candidates for one operator; what was found goes into `entry`. Returns the seconds spent."""
    started = time.monotonic()
    if key not in model.searches:
        seed = 1 + (int(key[:15], 16) + 1000 * known.get("tried", 0) + number) % (2**31 - 2)
        model.searches[key] = searching.Search(model.functions[key], target, known.get("found", []), seed)
    search = model.searches[key]
    before = search.tried
    entry["found"] = searching.best([*entry.get("found", []), *search.step()])
    entry["tried"] = entry.get("tried", 0) + search.tried - before
    seconds = time.monotonic() - started
    entry["spent"] = entry.get("spent", 0.0) + seconds
    return float("inf") if search.exhausted else seconds


def _says(name: str, known: Entry, entry: Entry) -> str:
    found = [seconds for seconds, _ in (*known.get("found", []), *entry["found"])]
    rule = known.get("rule_seconds") or entry.get("rule_seconds")
    gain = f", {rule / min(found):.1f}x the speed" if found and rule else ""
    return f"{name}: {known.get('tried', 0) + entry['tried']} tried{gain}"


def _compare(function: Any, target: Any, known: Entry, entry: Entry) -> None:
    """Whether the fastest that were found are faster than the rule's loops, by turns: a single reading is luck, the
    more so the more of them there are. Leaves "chosen" and "ratio" where something new was found."""
    if not entry.get("found"):
        return
    rule, tensors = measuring.build(scheduling.by_rule(function, target), target), measuring.arguments(function)
    for _, trace in searching.best([*known.get("found", []), *entry["found"]])[:_FINALISTS]:
        loops = scheduling.retraced(function, trace)
        if loops is None:
            continue
        ratio = measuring.ratio(rule, measuring.build(loops, target), tensors)
        if ratio < entry.get("ratio", float("inf")):
            entry["ratio"], entry["chosen"] = ratio, trace
