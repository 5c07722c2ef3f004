"""The traced circuit as a folder of Verilog, with a testbench that checks itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from da4ml.codegen import VerilogModel
from da4ml.trace import comb_trace
from da4ml.trace.pipeline import to_pipeline
from da4ml.types import minimal_kif

from .hardware import Array, Port

TOP = "network_wrapper"
VECTORS = 32  # of the testbench
_SEED = 20260101
# In da4ml's own parts: a name that older Verilators know too, and an attribute that Icarus can read.
_PORTABLE = {"WIDTHTRUNC": "WIDTH", '(BW_IN <= 999) ? "distributed" : "block"': '"distributed"'}


class Project:
    """ports: the inputs. outputs: the wires of all outputs, one after the other. delay: adders between registers."""

    def __init__(self, ports: list[Port], outputs: list[Any], delay: int) -> None:
        self._ports = ports
        wires = [wire for port in ports for wire in port.wires]
        self._logic = comb_trace(wires, outputs, keep_dead_inputs=True)
        self._pipeline = to_pipeline(self._logic, delay, verbose=False)
        self.in_bits, _ = _word(self._pipeline.inp_qint)
        self.out_bits, self.out_fraction = _word(self._pipeline.out_qint)
        self.out_signed = any(interval.min < 0 for interval in self._pipeline.out_qint)
        self.inputs, self.outputs = self._pipeline.shape
        self.latency = len(self._pipeline.solutions)
        self.estimate = {"luts": round(float(self._pipeline.cost)), "flip_flops": int(self._pipeline.reg_bits)}

    def write(self, folder: Path, part: str, clock_ns: float) -> None:
        """rtl/, testbench/, and what Vivado needs to build it for `part` where that is one of its parts."""
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch, "project")
            VerilogModel(
                self._pipeline, "network", made, print_latency=False, part_name=part, clock_period=clock_ns
            ).write()
            rtl = folder / "rtl"
            shutil.copytree(made / "src", rtl)
            if part.startswith("xc"):
                script = (made / "build_vivado_prj.tcl").read_text(encoding="utf-8")
                (folder / "build_vivado.tcl").write_text(script.replace("/src/", "/rtl/"), encoding="utf-8")
            else:
                (rtl / "network.xdc").unlink()
            (rtl / "network.sdc").unlink()
        for file in sorted((rtl / "static").glob("*.v")):
            text = file.read_text(encoding="utf-8")
            for found, written in _PORTABLE.items():
                text = text.replace(found, written)
            file.write_text(text, encoding="utf-8")
        if not any((rtl / "memfiles").iterdir()):
            (rtl / "memfiles").rmdir()
        self._testbench(folder / "testbench")
        self._filled("serial.v", folder / "board" / "network_serial.v")

    def expected(self, vectors: Array) -> Array:
        """[N, inputs] levels -> [N, outputs] words, by da4ml's own interpreter of the circuit."""
        values = np.asarray(self._logic.predict(vectors.astype(np.float64), n_threads=1)).reshape(len(vectors), -1)
        return np.rint(values * 2.0**self.out_fraction).astype(np.int64)

    def _testbench(self, folder: Path) -> None:
        folder.mkdir()
        low, high = _ends(self._ports)
        random = np.random.default_rng(_SEED)
        drawn = random.integers(low, high + 1, size=(VECTORS - 3, self.inputs))
        vectors = np.concatenate([[low], [high], [np.clip(0, low, high)], drawn])
        answers = self.expected(vectors)
        _hex(folder / "inputs.hex", vectors, self.in_bits)
        _hex(folder / "expected.hex", answers, self.out_bits)
        self._filled("testbench.v", folder / "testbench.v")

    def _filled(self, template: str, file: Path) -> None:
        widths = self.inputs * self.in_bits, self.outputs * self.out_bits
        text = Path(__file__).with_name(template).read_text(encoding="utf-8")
        for name, value in (
            ("IN_BITS", widths[0]),
            ("OUT_BITS", widths[1]),
            ("IN_BYTES", -(-widths[0] // 8)),
            ("OUT_BYTES", -(-widths[1] // 8)),
            ("LATENCY", self.latency),
            ("FLIGHT", self.latency + 1),
            ("VECTORS", VECTORS),
        ):
            text = text.replace(f"`{name}", str(value))
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _word(intervals: Any) -> tuple[int, int]:
    """Bits of the words that da4ml's wrapper has on each side, and how many of them are of a fraction (less than none:
    the lowest bit is worth 2 or more)."""
    signs, integers, fractions = zip(*map(minimal_kif, intervals), strict=True)
    return max(integers) + max(signs) + max(fractions), max(fractions)


def _ends(ports: list[Port]) -> tuple[Array, Array]:
    low = np.concatenate([np.full(len(port.wires), port.low) for port in ports])
    high = np.concatenate([np.full(len(port.wires), port.high) for port in ports])
    return low, high


def packed(vector: Array, bits: int) -> int:
    """Levels as one number: the first in the lowest `bits` bits, in two's complement."""
    mask = (1 << bits) - 1
    return sum((int(level) & mask) << (bits * place) for place, level in enumerate(vector))


def unpacked(words: Array, count: int, bits: int, signed: bool) -> Array:
    """[N, words of 32 bits] -> [N, count] levels."""
    flat = np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), axis=1, bitorder="little")
    digits = flat[:, : count * bits].reshape(len(words), count, bits).astype(np.int64)
    levels = (digits << np.arange(bits)).sum(axis=2)
    negative = (digits[:, :, -1] == 1) & signed
    return np.asarray(np.where(negative, levels - (1 << bits), levels))


def _hex(path: Path, vectors: Array, bits: int) -> None:
    width = -(-vectors.shape[1] * bits // 4)
    lines = [f"{packed(vector, bits):0{width}x}" for vector in vectors]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
