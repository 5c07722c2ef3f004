"""IR -> int8 .tflite -> Vela: the same file with an NPU's command stream in it, and Vela's estimates. Runs in the vela
toolchain."""

import csv
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from ..kit import artifact
from ..tflite import flatbuffer, lowering

_ENTRY = "model.tflite"
_CONFIGURATION = "Arm/vela.ini"  # beside Vela: systems and memories that Arm describes
_COUNT = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)
_LEFT = re.compile(r"^\s+CPU: (\S+) = (.*) \(outputs", re.MULTILINE)
_WHY_NOT = (
    "compiled for the NPU and not executed: Vela has a performance model and no simulator, and Arm's fixed virtual "
    "platforms (FVP) are in no package registry"
)


@operation
def compile_(request: Request) -> object:
    """ir -> model.tflite (as Vela leaves it), run.json, run.cc, LICENSES/. params: target, variant (int8),
    accelerator, system and memory (as Vela has them)."""
    params = request.params
    contract = artifact.contract(request)
    lowered = lowering.lower(Path(request.inputs["ir"], "model.onnx"), native=True, integer=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, _ENTRY).write_bytes(flatbuffer.write(lowered.graph, "written by dlpipe"))
        said = _vela(Path(folder), params)
        shutil.copyfile(Path(folder, "made/model_vela.tflite"), Path(request.out, _ENTRY))
        figures = _figures(Path(folder, "made"))
    counts = {kind: int(count) for kind, count in _COUNT.findall(said)}
    left = [f"{name} ({kind})" for kind, name in _LEFT.findall(said)]
    if not counts.get("NPU"):
        raise Refused("none of the model's operators is one that the NPU has", kind="unsupported")
    version = importlib.metadata.version("ethos-u-vela")
    ports = tuple(
        [{**port, **lowered.ports[port["name"]]} for port in contract[side]] for side in ("inputs", "outputs")
    )
    artifact.describe(
        request,
        "vela",
        ("LiteRT for Microcontrollers with the Ethos-U driver", version),
        _ENTRY,
        (ports[0], ports[1]),
        accelerator=params["accelerator"],
        left_to_the_processor=left,
    )
    artifact.sample_program(request, Path(__file__).with_name("sample_run.cc"), "run.cc")
    artifact.licences(request, "ethos-u-vela")
    if left:
        request.note(f"left to the Cortex-M, in none of Vela's figures: {', '.join(left[:8])}", level="warning")
    tool = f"ethos-u-vela {version}"
    return {
        "tool": tool,
        "entry": _ENTRY,
        "not_executed": _WHY_NOT,
        "estimates": _estimates(figures, counts, f"estimated by {tool} for {params['system']}, {params['memory']}"),
    }


def _vela(folder: Path, params: dict[str, Any]) -> str:
    """Run Vela. Raises Refused with its last words where it makes nothing."""
    command = [sys.executable, "-m", "ethosu.vela", _ENTRY, "--output-dir", "made", "--show-cpu-operations"]
    command += ["--config", _CONFIGURATION, "--accelerator-config", params["accelerator"]]
    command += ["--system-config", params["system"], "--memory-mode", params["memory"]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    said = done.stdout + done.stderr
    sys.stdout.write(said)
    if done.returncode or not (folder / "made/model_vela.tflite").is_file():
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise Refused(f"Vela does not compile the model: {last}", kind="unsupported")
    return said


def _figures(folder: Path) -> dict[str, float]:
    (summary,) = folder.glob("model_summary_*.csv")
    with summary.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    found = {}
    for key, value in row.items():
        try:
            found[key] = float(value)
        except ValueError:
            continue
    return found


def _estimates(figures: dict[str, float], counts: dict[str, int], by: str) -> dict[str, dict[str, Any]]:
    """Vela's sizes are in KiB, its time in seconds; it counts the operators that it made of the model's."""
    given = {
        "npu_cycles": (int(figures["cycles_npu"]), "cycles"),
        "total_cycles": (int(figures["cycles_total"]), "cycles"),
        "inference_time": (figures["inference_time"] * 1000, "ms"),
        "sram_used": (round(figures["sram_memory_used"] * 1024), "bytes"),
        "dram_used": (round(figures["dram_memory_used"] * 1024), "bytes"),
        "flash_used": (
            round((figures["off_chip_flash_memory_used"] + figures["on_chip_flash_memory_used"]) * 1024),
            "bytes",
        ),
        "operators_on_the_npu": (counts["NPU"] / sum(counts.values()), "fraction"),
    }
    clock = f", {figures['core_clock'] / 1e6:g} MHz"
    return {
        key: {"value": value, "unit": unit, "reason": by + clock if unit in ("cycles", "ms") else by}
        for key, (value, unit) in given.items()
        if value or unit != "bytes"
    }
