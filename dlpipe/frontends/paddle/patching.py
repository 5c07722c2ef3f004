"""What paddle2onnx 2.1 cannot read of the programs that Paddle 3.3 writes, rewritten before it does.

It takes attributes of type double for float, without looking: a slope of 0.01 becomes 2e-43, and the result is wrong
in silence, or the process ends. And it has no `full_batch_size_like`, which is what a number divided by a tensor makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

DOUBLE, FLOAT = "0.a_f64", "0.a_f32"


def patch(source: Path, target: Path) -> dict[str, list[int]]:
    """Returns, for the nodes that paddle2onnx will make of squeezes, by output: the shape (-1: free) that goes in."""
    try:
        program = json.loads(source.read_text(encoding="utf-8"))
        ops = list(_ops(program["program"]))
        for op in ops:
            if op["#"] == "1.full_batch_size_like":
                _plain_full(op)
            _floats(op.get("A"))
        squeezes = _squeezes(ops)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Refused(f"{source.name} is not a program of Paddle 3 that can be read: {error}") from error
    target.write_text(json.dumps(program), encoding="utf-8")
    return squeezes


def _ops(holder: Any) -> Iterator[Any]:
    for region in holder.get("regions", ()):
        for block in region["blocks"]:
            for op in block["ops"]:
                yield op
                yield from _ops(op)


def _floats(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("#") == DOUBLE:
            value["#"] = FLOAT
        for each in value.values():
            _floats(each)
    elif isinstance(value, list):
        for each in value:
            _floats(each)


def _plain_full(op: Any) -> None:
    """One number of the same rank: it is as good wherever it is broadcast, and elsewhere comparing finds it out."""
    attributes = {each["N"]: each["AT"] for each in op["A"]}
    rank = len(attributes["shape"]["D"])
    shape = {"#": "1.a_intarray", "D": [1] * rank}
    kept = {"shape": shape, **{name: attributes[name] for name in ("value", "dtype", "place")}}
    op["#"], op["I"] = "1.full", []
    op["A"] = [{"AT": value, "N": name} for name, value in kept.items()]
    op["O"][0]["TT"]["D"][1] = [1] * rank


def _squeezes(ops: list[Any]) -> dict[str, list[int]]:
    shapes: dict[int, list[int]] = {}
    found: dict[str, list[int]] = {}
    number = 0
    for op in ops:
        if op["#"] == "1.squeeze":
            found[f"p2o.pd_op.squeeze.{number}.0"] = shapes.get(op["I"][0]["%"], [])
            number += 1
        outputs = op.get("O", [])
        for output in outputs if isinstance(outputs, list) else [outputs]:
            data = output.get("TT", {}).get("D")
            if isinstance(data, list) and len(data) > 1 and isinstance(data[1], list):
                shapes[output["%"]] = data[1]
    return found
