"""What a circuit takes of a device, as Yosys and nextpnr find it, and the bitstream."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .programs import Root, Run, run
from .project import TOP

_SYNTHESIS = {"ecp5": "synth_ecp5", "ice40": "synth_ice40", "xilinx": "synth_xilinx -noiopad"}
# What a cell of the netlist takes: look-up tables of the family's own size, flip-flops, multipliers, block memories.
_CELLS: dict[str, dict[str, tuple[str, int]]] = {
    "ecp5": {
        "LUT4": ("luts", 1),
        "CCU2C": ("luts", 2),  # two bits of an adder: a slice's two look-up tables
        "TRELLIS_DPR16X4": ("luts", 6),
        "TRELLIS_FF": ("flip_flops", 1),
        "MULT18X18D": ("multipliers", 1),
        "DP16KD": ("block_memories", 1),
    },
    "ice40": {
        "SB_LUT4": ("luts", 1),
        "SB_DFF": ("flip_flops", 1),
        "SB_MAC16": ("multipliers", 1),
        "SB_RAM40_4K": ("block_memories", 1),
    },
    "xilinx": {
        **{f"LUT{inputs}": ("luts", 1) for inputs in range(1, 7)},
        "CARRY4": ("carries", 1),
        "FDRE": ("flip_flops", 1),
        "FDSE": ("flip_flops", 1),
        "DSP48E1": ("multipliers", 1),
        "RAMB18E1": ("block_memories", 1),
        "RAMB36E1": ("block_memories", 2),
    },
}
_UNITS = {
    "luts": "LUT4 cells",
    "flip_flops": "flip-flops",
    "multipliers": "blocks",
    "block_memories": "blocks",
    "carries": "CARRY4 cells",
}
_BUILT_FOR, _RELOCATED = b"/usr/share/nextpnr/", b"././share//nextpnr/"
_FMAX = re.compile(r"Max frequency for clock\s+'[^']*':\s+([0-9.]+) MHz")


@dataclass
class Flow:
    """What is known so far: estimates as the report has them, and what is still to be said."""

    family: str
    tools: list[str] = field(default_factory=list)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def absent(self, why: str, *keys: str) -> None:
        for key in keys:
            self.figures.setdefault(key, {"value": None, "provenance": "absent", "reason": why})

    @property
    def luts(self) -> int | None:
        found = self.figures.get("luts", {}).get("value")
        return None if found is None else int(found)


def synthesise(
    artifact: Path,
    flow: Flow,
    root: Root,
    scratch: Path,
    seconds: int,
    saying: Callable[[str, float], object],
    shell: Path | None = None,
) -> Path:
    """By Yosys: `netlist.json` in `scratch`, and what it takes in `flow`. shell: a file around the circuit, with the
    module of its name, for a device that has fewer pins. Raises TooLong or Failed."""
    sources = scratch / "rtl"
    sources.mkdir()
    for file in sorted((artifact / "rtl").rglob("*")):
        if file.is_file():
            shutil.copyfile(file, sources / file.name)
            if file.suffix == ".mem":  # found relative to where Yosys runs
                shutil.copyfile(file, scratch / file.name)
    if shell:
        shutil.copyfile(shell, sources / shell.name)
    static = sorted(file.name for file in (artifact / "rtl/static").glob("*.v"))
    own = sorted(file.name for file in sources.glob("*.v") if file.name not in static)
    script = [
        # -defer: da4ml's parts are generic, and only what the circuit asks of them is worked out
        *(f"read_verilog -defer rtl/{name}" for name in static),
        *(f"read_verilog rtl/{name}" for name in own),
        f"{_SYNTHESIS[flow.family]} -top {shell.stem if shell else TOP}",
        "tee -q -o stat.json stat -json",
        "write_json netlist.json",
    ]
    (scratch / "synthesis.ys").write_text("\n".join(script) + "\n", encoding="ascii")
    said = run(
        [*root.command("yosys", _home(root, scratch)), "-q", "synthesis.ys"],
        scratch,
        name="yosys",
        seconds=seconds,
        waiting=lambda share: saying("synthesis", share),
    )
    sys.stdout.write(said.said)
    flow.tools.append(f"yosys {version(root, 'yosys')}")
    text = (scratch / "stat.json").read_text(encoding="utf-8")
    cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]  # behind the number of the step
    _count(flow, cells, f", with the shell {shell.stem} around it" if shell else "")
    return scratch / "netlist.json"


def _count(flow: Flow, cells: Mapping[str, int], around: str) -> None:
    totals: dict[str, int] = {"luts": 0, "flip_flops": 0, "multipliers": 0}
    for cell, count in cells.items():
        # iCE40 has a flip-flop for each kind of reset: SB_DFF, SB_DFFE, SB_DFFSR ...
        name = "SB_DFF" if cell.startswith("SB_DFF") else cell
        if name in _CELLS[flow.family]:
            what, each = _CELLS[flow.family][name]
            totals[what] = totals.get(what, 0) + each * int(count)
    units = {**_UNITS, "luts": "LUT6 cells" if flow.family == "xilinx" else _UNITS["luts"]}
    by = f"estimated by {flow.tools[-1]}, before placement{around}"
    for what, total in totals.items():
        flow.figures[what] = {"value": total, "unit": units[what], "reason": by}


def _home(root: Root, scratch: Path) -> Path:
    """Yosys finds its files and ABC beside the program that runs, which is the loader: a copy of that, and around it
    what Yosys looks for."""
    (scratch / "bin").mkdir()
    loader = scratch / "bin" / "loader"
    shutil.copy(root.loader, loader)
    (scratch / "share").mkdir()
    (scratch / "share" / "yosys").symlink_to(root.folder / "usr/share/yosys")
    abc = scratch / "bin" / "yosys-abc"
    abc.write_text("#!/bin/sh\nexec " + " ".join(root.command("yosys-abc", loader)) + ' "$@"\n', encoding="utf-8")
    abc.chmod(0o755)
    return loader


def place(
    flow: Flow,
    options: Mapping[str, Any],
    netlist: Path,
    root: Root,
    scratch: Path,
    saying: Callable[[str, float], object],
) -> Path:
    """Place-and-route by nextpnr: Fmax in `flow`. Returns the bitstream. Raises TooLong or Failed."""
    program = f"nextpnr-{flow.family}"
    made = {"ecp5": ("--textcfg", "placed.config"), "ice40": ("--asc", "placed.asc")}[flow.family]
    speed = ["--speed", str(options["speed"])] if "speed" in options else []
    pins = ["--lpf-allow-unconstrained"] if flow.family == "ecp5" else ["--pcf-allow-unconstrained"]
    if "pins" in options:
        kind = "lpf" if flow.family == "ecp5" else "pcf"
        (scratch / f"pins.{kind}").write_text("\n".join(options["pins"]) + "\n", encoding="utf-8")
        pins += [f"--{kind}", f"pins.{kind}"]
    done = run(
        [
            *_relocated(root, program, scratch),
            *(f"--{options['device_option']}", "--package", options["package"], *speed),
            *("--json", str(netlist), *made, "--report", "placed.json"),
            *("--seed", "1", "--threads", "1", "--freq", str(options.get("clock_mhz", 50)), "--timing-allow-fail"),
            *pins,
        ],
        scratch,
        name=program,
        seconds=int(options["place_and_route_seconds"]),
        environment={"PYTHONHOME": str(root.folder / "usr")},  # it starts an interpreter, for scripts that are not used
        waiting=lambda share: saying("place-and-route", share),
    )
    sys.stdout.write(done.said)
    flow.tools.append(f"{program} {version(root, program)}")
    _timing(flow, scratch, program, done)
    pack = {"ecp5": ("ecppack", "--db", str(root.folder / "usr/share/trellis/database")), "ice40": ("icepack",)}
    packer, *arguments = pack[flow.family]
    run([*root.command(packer), *arguments, made[1], "network.bit"], scratch, name=packer)
    return scratch / "network.bit"


def _relocated(root: Root, program: str, scratch: Path) -> list[str]:
    """nextpnr knows only the devices whose data it finds, and Debian's looks for them at one absolute path: a copy of
    the program with as long a path, relative to where it runs."""
    own = root.folder / "usr/bin" / program
    copy = scratch / program
    copy.write_bytes(own.read_bytes().replace(_BUILT_FOR, _RELOCATED))
    (scratch / "share").mkdir(exist_ok=True)
    (scratch / "share" / "nextpnr").symlink_to(root.folder / "usr/share/nextpnr")
    return [*root.command(program)[:-1], str(copy)]


def _timing(flow: Flow, scratch: Path, program: str, done: Run) -> None:
    """nextpnr says Fmax after placement and again after routing: the last counts."""
    report = scratch / "placed.json"
    clocks = json.loads(report.read_text(encoding="utf-8"))["fmax"] if report.is_file() else {}
    found = [float(each["achieved"]) for each in clocks.values()] or [float(f) for f in _FMAX.findall(done.said)]
    if not found:
        flow.absent(f"{program} named no clock", "fmax")
        return
    by = f"estimated by {program}, after routing, with pins where it likes"
    flow.figures["fmax"] = {"value": round(min(found), 2), "unit": "MHz", "reason": by}


def version(root: Root, program: str) -> str:
    """As the package has it, which stands in the root's list of what was installed."""
    listed = json.loads((root.folder / "complete.json").read_text(encoding="utf-8")).get("versions", {})
    package = {"yosys": "yosys", "verilator": "verilator"}.get(program, program)
    return str(listed.get(package, "of an unknown version"))
