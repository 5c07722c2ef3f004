"""A circuit executed in a simulator, and first proved on the testbench's vectors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .programs import Failed, Root, run
from .project import TOP, packed, unpacked

Array = np.ndarray[Any, Any]
Say = Callable[[str], object]

_TRANSLATE = ("--cc", "--top-module", TOP, "--prefix", "Vnetwork", "-Mdir", "cpp", "-Wno-fatal")
_COMPILE = ("-std=c++17", "-O0", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0")


class Simulator:
    """circuit: of run.json. scratch: an empty folder that lives as long as this."""

    name = ""
    package = ""  # of the root, whose version is that of the simulator

    def __init__(self, artifact: Path, circuit: dict[str, Any], root: Root, scratch: Path, saying: Say) -> None:
        """Raises Failed when it cannot be built, or does not compute what the testbench expects."""
        self.circuit, self.scratch, self.root = circuit, scratch, root
        for file in sorted((artifact / "rtl").rglob("*")):
            if file.is_file():
                shutil.copyfile(file, scratch / file.name)
        self.files = sorted(path.name for path in scratch.glob("*.v"))
        self.build(saying)
        self.vectors = self._prove(artifact / "testbench")

    def build(self, saying: Say) -> None:
        raise NotImplementedError

    def run(self, vectors: list[int]) -> list[int]:
        """One vector on every edge of the clock; for each what comes out `latency` edges later."""
        raise NotImplementedError

    def _prove(self, testbench: Path) -> int:
        """The circuit gives, bit by bit, what its compiler's interpreter gave. Returns for how many vectors."""
        given, wanted = (
            [int(line, 16) for line in (testbench / name).read_text(encoding="ascii").split()]
            for name in ("inputs.hex", "expected.hex")
        )
        found = self.run(given)
        wrong = [number for number, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other]
        if wrong:
            raise Failed(
                f"{self.name} and da4ml's interpreter disagree on {len(wrong)} of {len(wanted)} vectors of the"
                f" testbench, first on number {wrong[0]}"
            )
        return len(wanted)

    def __call__(self, levels: Array) -> Array:
        """[N, inputs] -> [N, outputs], integers."""
        side = self.circuit["output"]
        found = self.run([packed(row, self.circuit["input"]["word"]) for row in levels])
        size = 4 * _words(side)
        words = np.frombuffer(b"".join(each.to_bytes(size, "little") for each in found), "<u4")
        return unpacked(words.reshape(len(levels), -1), side["words"], side["word"], side["signed"])


class Verilator(Simulator):
    """Translated to C++ and compiled for this machine: quick on large circuits, slow to build."""

    name = "verilator"
    package = "verilator"

    def build(self, saying: Say) -> None:
        saying("translating the circuit to C++")
        home = self.root.folder / "usr/share/verilator"
        command = [*self.root.command("verilator_bin"), *_TRANSLATE, *self.files]
        said = run(command, self.scratch, name="verilator", environment={"VERILATOR_ROOT": str(home)}).said
        sys.stdout.write(said)
        saying("compiling the simulation")
        include = home / "include"
        sources = sorted(map(str, (self.scratch / "cpp").glob("*.cpp")))
        further = [str(include / name) for name in ("verilated.cpp", "verilated_threads.cpp")]
        driver = str(Path(__file__).with_name("driver.cc"))
        sizes = {side.upper(): _words(self.circuit[f"{side}put"]) for side in ("in", "out")}
        defined = [f"-D{side}_WORDS={words}" for side, words in sizes.items()]
        defined.append(f"-DLATENCY={self.circuit['latency']}")
        includes = ["-Icpp", f"-I{include}", f"-I{include / 'vltstd'}"]
        arguments = [*_COMPILE, *defined, *includes, *sources, *further, driver, "-pthread", "-o", "simulation"]
        cache = str(self.scratch / "zig")
        environment = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        run([*_compiler(), *arguments], self.scratch, name="compiler", environment=environment)

    def run(self, vectors: list[int]) -> list[int]:
        size, back = 4 * _words(self.circuit["input"]), 4 * _words(self.circuit["output"])
        given = b"".join(vector.to_bytes(size, "little") for vector in vectors)
        (self.scratch / "inputs.bin").write_bytes(given)
        command = [str(self.scratch / "simulation"), "inputs.bin", "outputs.bin", str(len(vectors))]
        run(command, self.scratch, name="simulation")
        data = (self.scratch / "outputs.bin").read_bytes()
        mask = (1 << self.circuit["output"]["width"]) - 1
        return [int.from_bytes(data[at : at + back], "little") & mask for at in range(0, len(data), back)]


_BENCH = """`timescale 1 ns / 1 ps
module bench;
    reg clk = 0;
    reg [{inputs}-1:0] given [0:{count}-1];
    reg [{inputs}-1:0] model_inp;
    wire [{outputs}-1:0] model_out;
    integer edges, file;
    {top} network (.clk(clk), .model_inp(model_inp), .model_out(model_out));
    initial begin
        $readmemh("inputs.hex", given);
        file = $fopen("outputs.hex", "w");
        for (edges = 0; edges < {count} + {latency}; edges = edges + 1) begin
            if (edges < {count}) model_inp = given[edges];
            #5 clk = 1;
            #1 if (edges >= {latency}) $fdisplay(file, "%h", model_out);
            #4 clk = 0;
        end
        $fclose(file);
        $finish;
    end
endmodule
"""


class Icarus(Simulator):
    """Interpreted: built at once, slow on large circuits."""

    name = "icarus"
    package = "iverilog"

    def build(self, saying: Say) -> None:
        saying("compiling the circuit")
        self._compiler = [*self.root.command("iverilog"), *_icarus_home(self.root, self.scratch / "ivl")]

    def run(self, vectors: list[int]) -> list[int]:
        (self.scratch / "inputs.hex").write_text("\n".join(f"{vector:x}" for vector in vectors) + "\n")
        widths = {side: self.circuit[side[:-1]]["width"] for side in ("inputs", "outputs")}
        bench = _BENCH.format(top=TOP, count=len(vectors), latency=self.circuit["latency"], **widths)
        (self.scratch / "bench.v").write_text(bench, encoding="ascii")
        options = ["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v"]
        run([*self._compiler, *options, *self.files], self.scratch, name="iverilog")
        modules = str(self.root.folder / "usr/lib/x86_64-linux-gnu/ivl")
        run([*self.root.command("vvp"), "-n", "-M", modules, "bench.vvp"], self.scratch, name="vvp")
        return [int(line, 16) for line in (self.scratch / "outputs.hex").read_text(encoding="ascii").split()]


SIMULATORS: dict[str, type[Simulator]] = {each.name: each for each in (Verilator, Icarus)}


def _words(side: dict[str, Any]) -> int:
    """Of 32 bits."""
    return -(-int(side["width"]) // 32)


def _compiler() -> list[str]:
    """This machine's own, which is there with most Linux systems and far quicker; else the toolchain's."""
    own = shutil.which("g++")
    if own and subprocess.run([own, "--version"], capture_output=True, check=False).returncode == 0:
        return [own]
    return [sys.executable, "-m", "ziglang", "c++"]


def _icarus_home(root: Root, folder: Path) -> list[str]:
    """iverilog is a driver that starts two programs of a folder: scripts that start them as the root's own."""
    own = "usr/lib/x86_64-linux-gnu/ivl"
    folder.mkdir()
    for file in sorted((root.folder / own).iterdir()):
        if file.name in ("ivl", "ivlpp"):
            command = root.command(f"../../{own}/{file.name}")
            (folder / file.name).write_text("#!/bin/sh\nexec " + " ".join(command) + ' "$@"\n', encoding="utf-8")
            (folder / file.name).chmod(0o755)
        else:
            (folder / file.name).symlink_to(file)
    return ["-B", str(folder)]
