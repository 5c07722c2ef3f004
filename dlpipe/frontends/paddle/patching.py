"""What paddle2onnx 2.1 cannot read of the programs that Paddle 3.3 writes, rewritten before it does.

It takes attributes of type double for float, without looking: a slope of 0.01 becomes 2e-43, and the result is wrong
in silence, or the process ends. It has no `full_batch_size_like`, which is what a number divided by a tensor makes. And
of an adaptive pooling it makes windows of one size, which is wrong wherever the image is not a multiple of the result,
and nothing where the size of the image is free: a pooling by single pixels takes its place (see `adaptive.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from .adaptive import Adaptive

DOUBLE, FLOAT = "0.a_f64", "0.a_f32"


def patch(source: Path, target: Path) -> tuple[dict[str, list[int]], dict[str, Adaptive]]:
    """Returns, for the nodes that paddle2onnx will make, by output: of squeezes the shape (-1: free) that goes in; what
    adaptive poolings were."""
    try:
        program = json.loads(source.read_text(encoding="utf-8"))
        ops = list(_ops(program["program"]))
        for op in ops:
            if op["#"] == "1.full_batch_size_like":
                _plain_full(op)
            _floats(op.get("A"))
        squeezes, pools = _squeezes(ops), _adaptive(ops)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Refused(f"{source.name} is not a program of Paddle 3 that can be read: {error}") from error
    target.write_text(json.dumps(program), encoding="utf-8")
    return squeezes, pools


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


def _adaptive(ops: list[Any]) -> dict[str, Adaptive]:
    """Those to a single number stay: they are global."""
    arrays = {op["O"][0]["%"]: _attributes(op)["value"] for op in ops if op["#"] == "1.full_int_array"}
    read = {each["%"] for op in ops for each in op.get("I", ())}
    fetched = {op["I"][0]["%"]: _attributes(op)["name"] for op in ops if op["#"] == "1.fetch"}
    found: dict[str, Adaptive] = {}
    numbers = {"1.pool2d": 0, "1.max_pool2d_with_index": 0}
    for op in ops:
        kind = op["#"]
        if kind not in numbers:
            continue
        made, number = op["O"], numbers[kind]
        numbers[kind] += 1
        given = _attributes(op)
        size = given["kernel_size"] if "kernel_size" in given else arrays.get(op["I"][-1]["%"], [])
        if not given["adaptive"] or len(size) != 2 or size == [1, 1] or given.get("data_format", "NCHW") != "NCHW":
            continue
        if any(each["%"] in read for each in made[1:]):
            continue
        name = fetched.get(made[0]["%"], f"p2o.pd_op.{kind[2:]}.{number}.0")
        found[name] = Adaptive(given.get("pooling_type", "max") == "avg", (size[0], size[1]))
        _single_pixels(op, ops)
    return found


def _attributes(op: Any) -> dict[str, Any]:
    found = {}
    for each in op["A"]:
        value = each["AT"].get("D")
        found[each["N"]] = [item["D"] for item in value] if each["AT"]["#"] == "0.a_array" else value
    return found


def _single_pixels(op: Any, ops: list[Any]) -> None:
    kernel = op["I"][-1]["%"] if op["#"] == "1.pool2d" else None
    for each in (op, *(other for other in ops if other["#"] == "1.full_int_array")):
        for attribute in each["A"]:
            if each is op and attribute["N"] == "adaptive":
                attribute["AT"]["D"] = False
            if (each is op and attribute["N"] == "kernel_size") or (
                each is not op and each["O"][0]["%"] == kernel and attribute["N"] == "value"
            ):
                for number in attribute["AT"]["D"]:
                    number["D"] = 1
