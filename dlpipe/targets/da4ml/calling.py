"""The host's side of the circuit: arrays of the model -> the words that go into it, and back. Needs numpy only."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

FUNCTIONS: dict[str, Callable[[Array, int], Array]] = {
    "LogSoftmax": lambda x, axis: x - x.max(axis, keepdims=True) - _log_sum(x, axis),
    "Sigmoid": lambda x, _: 1 / (1 + np.exp(-x)),
    "Softmax": lambda x, axis: np.exp(x - x.max(axis, keepdims=True) - _log_sum(x, axis)),
    "Tanh": lambda x, _: np.tanh(x),
}


def _log_sum(x: Array, axis: int) -> Array:
    return np.asarray(np.log(np.exp(x - x.max(axis, keepdims=True)).sum(axis, keepdims=True)))


def described(folder: str | pathlib.Path) -> Any:
    """What run.json in that folder says."""
    return json.loads(pathlib.Path(folder, "run.json").read_text(encoding="utf-8"))


def levels(description: Mapping[str, Any], feeds: Mapping[str, Any]) -> Array:
    """Input's name -> array, to the integers of all input words, in order."""
    words = np.zeros(description["circuit"]["input"]["words"], np.int64)
    for port in description["inputs"]:
        array = np.asarray(feeds[port["name"]], np.float32).ravel()
        whole = np.rint(array / np.float32(port["scale"])).astype(np.int64)
        words[port["first_word"] : port["first_word"] + port["words"]] = np.clip(whole, port["low"], port["high"])
    return words


def values(description: Mapping[str, Any], words: Sequence[int] | Array) -> dict[str, Array]:
    """The integers of all output words -> output's name -> array of the model's shape and dtype."""
    found = {}
    for port in description["outputs"]:
        part = np.asarray(words[port["first_word"] : port["first_word"] + port["words"]], np.float64)
        array = (part * port["scale"]).reshape([1 if isinstance(dim, str) else dim for dim in port["shape"]])
        if port["host"]:
            array = FUNCTIONS[port["host"]["op"]](array, port["host"]["axis"])
        found[port["name"]] = array.astype(port["dtype"])
    return found


def packed(words: Sequence[int] | Array, bits: int) -> int:
    """Integers as one number: the first in the lowest `bits` bits, in two's complement."""
    return sum((int(word) & ((1 << bits) - 1)) << (bits * place) for place, word in enumerate(words))


def unpacked(number: int, side: Mapping[str, Any]) -> list[int]:
    """The reverse, for the side "output" of run.json's circuit."""
    bits, count = side["word"], side["words"]
    words = [(number >> (bits * place)) & ((1 << bits) - 1) for place in range(count)]
    return [word - (1 << bits) if side["signed"] and word >> (bits - 1) else word for word in words]


def instructions(description: Mapping[str, Any]) -> str:
    """run.md: the ports in words."""
    circuit = description["circuit"]
    given, found = circuit["input"], circuit["output"]
    kind = "two's complement" if found["signed"] else "unsigned"
    lines = [
        f"# A circuit for {description['target']}",
        "",
        f"Top module `{circuit['top']}` in `rtl/`, with parts of da4ml in `rtl/static/`; one clock, no reset.",
        f"A vector goes in on every rising edge of `{circuit['clock']}` (initiation interval 1), and its answer is at",
        f"the output after {circuit['latency']} further edges.",
        "",
        f"- `{given['port']}`, {given['width']} bits: {given['words']} words of {given['word']} bits in two's",
        "  complement, the first in the lowest bits.",
        f"- `{found['port']}`, {found['width']} bits: {found['words']} words of {found['word']} bits, {kind}.",
        "",
        "| tensor | shape | words | a word is worth | range |",
        "|---|---|---|---|---|",
    ]
    for port in (*description["inputs"], *description["outputs"]):
        limits = f"{port['low']} to {port['high']}" if "low" in port else "as wide as the word"
        last = port["first_word"] + port["words"] - 1
        lines.append(
            f"| {port['name']} | {port['shape']} | {port['first_word']} to {last} | {port['scale']:.9g} | {limits} |"
        )
    lines += [
        "",
        "Elements follow each other in row-major order. An input word is the value divided by its worth, rounded and",
        "cut off at the range; an output is the word times its worth.",
    ]
    for port in description["outputs"]:
        if port["host"]:
            lines.append(f"{port['name']}: the host computes {port['host']['op']} of that, the circuit does not.")
    lines += [
        "",
        "- `python run.py inputs.npz` runs it in Icarus Verilog (needs numpy, and `iverilog` and `vvp` on the path);",
        "  `calling.py` is the conversion alone, for a program that talks to a device.",
        "- `testbench/testbench.v` checks the circuit against what the compiler's interpreter computed, in any",
        "  simulator.",
        "- `board/network_serial.v` puts it behind byte-wide ports, for devices with few pins; `network.bit`, where",
        "  it is here, is a bitstream of that, with its pins where the tool liked: constrain them for your board.",
        "",
    ]
    return "\n".join(lines)
