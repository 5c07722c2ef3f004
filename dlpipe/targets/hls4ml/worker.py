"""IR -> an HLS project by hls4ml, and its C simulation."""

import contextlib
import ctypes
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import hls4ml
import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, executing
from .preparing import prepared

_NO_FIGURES = "resources, clock and latency are worked out by the vendor's HLS compiler (Vitis), which is not here"
_PROJECT = "network"
_COMPILE = ("-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-Ifirmware/ap_types")
_LAYER = re.compile(r"layer (?:name )?['\"]?([\w/.:-]+)", re.IGNORECASE)


@operation
def compile_(request: Request) -> object:
    """ir -> hls/ (the project), run.json, run.md, run.py, LICENSES/. params: target, variant, options (part, precision,
    clock_ns, reuse_factor, strategy)."""
    options = request.params["options"]
    contract = artifact.contract(request)
    model = prepared(Path(request.inputs["ir"], "model.onnx"))
    request.progress("converting", 0.2)
    project = Path(request.out, "hls")
    try:
        config = hls4ml.utils.config_from_onnx_model(
            model,
            granularity="name",
            backend="Vitis",
            default_precision=options["precision"],
            default_reuse_factor=options["reuse_factor"],
        )
        config["Model"]["Strategy"] = options["strategy"]
        made = hls4ml.converters.convert_from_onnx_model(
            model,
            output_dir=str(project),
            project_name=_PROJECT,
            backend="Vitis",
            hls_config=config,
            part=options["part"],
            clock_period=options["clock_ns"],
        )
        with contextlib.chdir(request.out):
            made.write()
    except Exception as error:
        layer = _LAYER.search(str(error))
        raise Refused(
            f"hls4ml cannot convert the model: {type(error).__name__}: {error}",
            kind="unsupported",
            node=layer[1] if layer else None,
        ) from error
    request.progress("converting", 1.0)
    _make_reproducible(project)
    description = _describe(request, contract, made)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    (Path(request.out) / "run.md").write_text(_instructions(description), encoding="utf-8")
    artifact.licences(request, "hls4ml")
    absent = {"value": None, "provenance": "absent", "reason": _NO_FIGURES}
    unknown = ("luts", "flip_flops", "multipliers", "fmax", "latency_edges")
    return {
        "tool": "hls4ml " + importlib.metadata.version("hls4ml"),
        "entry": "hls",
        "estimates": dict.fromkeys(unknown, absent),
    }


def _make_reproducible(project: Path) -> None:
    """Without what is only of this run: a random stamp, and the folder that it was made in."""
    script = project / "build_lib.sh"
    script.write_text(re.sub(r"(?m)^LIB_STAMP=\w+$", "LIB_STAMP=library", script.read_text(encoding="utf-8")))
    settings = project / "hls4ml_config.yml"
    kept = [
        line
        for line in settings.read_text(encoding="utf-8").splitlines()
        if not line.startswith(("OutputDir:", "Stamp:")) and "ONNXModel" not in line and "OnnxModel" not in line
    ]
    settings.write_text("\n".join(kept) + "\n", encoding="utf-8")
    for archive in project.parent.glob("*.tar.gz"):
        archive.unlink()


def _describe(request: Request, contract: Any, made: Any) -> dict[str, Any]:
    """An image has its channels last, unless the project turns it itself: in its first layer, or its last."""
    layers = list(made.get_layers())
    turned = {name for layer in layers if layer.class_name == "Transpose" for name in (*layer.inputs, *layer.outputs)}

    def ports(side: list[dict[str, Any]], variables: list[Any], names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                **port,
                "argument": variable.name,
                "format": str(variable.type.precision),
                "channels_last": len(port["shape"]) > 3 and name not in turned,
            }
            for port, variable, name in zip(side, variables, names, strict=True)
        ]

    both = (
        ports(contract["inputs"], made.get_input_variables(), list(made.inputs)),
        ports(contract["outputs"], made.get_output_variables(), list(made.outputs)),
    )
    options = request.params["options"]
    runtime = "hls4ml", importlib.metadata.version("hls4ml")
    circuit = {key: options[key] for key in ("part", "precision", "clock_ns", "reuse_factor", "strategy")}
    return artifact.describe(request, "hls4ml", runtime, "hls", both, circuit={"top": _PROJECT, **circuit})


def _instructions(description: dict[str, Any]) -> str:
    circuit = description["circuit"]
    lines = [
        f"# An HLS project for {circuit['part']}",
        "",
        f"`hls/firmware/{_PROJECT}.cpp` holds the top function `{_PROJECT}`, in {circuit['precision']} where nothing",
        f"else is said, for a clock of {circuit['clock_ns']} ns and a reuse factor of {circuit['reuse_factor']}.",
        "",
        "- `vitis-run --mode hls --tcl build_prj.tcl` in `hls/` synthesises it (needs AMD's Vitis): resources, clock",
        "  and latency are in its reports, and nowhere before.",
        "- `python run.py inputs.npz` compiles its C simulation and runs it (needs numpy and g++).",
        "",
        "| tensor | shape | argument | format | order |",
        "|---|---|---|---|---|",
    ]
    for port in (*description["inputs"], *description["outputs"]):
        order = "channels last" if port["channels_last"] else "row-major"
        lines.append(f"| {port['name']} | {port['shape']} | {port['argument']} | {port['format']} | {order} |")
    return "\n".join(lines) + "\n"


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, by the project's own C simulation, compiled here."""
    folder = Path(request.inputs["artifact"])
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    names = tuple(port["name"] for port in description["inputs"])
    samples = executing.read(str(Path(request.inputs["samples"], "samples.npz")), names)
    count = min(len(array) for array in samples.values())
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(folder / "hls", Path(scratch, "hls"))
        request.progress("compiling the simulation", 0.0)
        compiler, library = _compiled(Path(scratch, "hls"))
        found = []
        for index in range(count):
            found.append(_called(library, description, {name: samples[name][index] for name in names}))
            request.progress("simulating", (index + 1) / count)
    arrays = {name: np.stack([each[name] for each in found]) for name in found[0]}
    executing.save(str(Path(request.out, "outputs.npz")), arrays)
    return {
        "ran_on": "simulator:hls4ml-csim",
        "machine": platform.machine(),
        "tool": f"hls4ml {importlib.metadata.version('hls4ml')} C simulation ({compiler})",
        "samples": count,
    }


def _compiled(project: Path) -> tuple[str, Any]:
    """(the compiler's name, the simulation as a library). Raises RuntimeError with what the compiler said."""
    own = shutil.which("g++")
    compiler = [own] if own else [sys.executable, "-m", "ziglang", "c++"]
    weights = f'-DWEIGHTS_DIR="{project / "firmware" / "weights"}"'
    output = project / "simulation.so"
    sources = [f"firmware/{_PROJECT}.cpp", f"{_PROJECT}_bridge.cpp"]
    cache = str(project / "zig")
    done = subprocess.run(
        [*compiler, *_COMPILE, weights, *sources, "-o", str(output)],
        cwd=project,
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        wrong = [line for line in done.stderr.splitlines() if "error" in line]
        raise RuntimeError(f"the C simulation does not compile: {(wrong or ['the compiler crashed'])[0]}")
    return ("g++" if own else "zig c++"), ctypes.CDLL(str(output))


def _called(library: Any, description: dict[str, Any], feeds: dict[str, Any]) -> dict[str, Any]:
    arguments, outputs = [], {}
    for port in description["inputs"]:
        array = np.asarray(feeds[port["name"]], np.float32)
        arguments.append(np.ascontiguousarray(np.moveaxis(array, 1, -1) if port["channels_last"] else array))
    for port in description["outputs"]:
        shape = [1 if isinstance(dim, str) else dim for dim in port["shape"]]
        if port["channels_last"]:
            shape = [shape[0], *shape[2:], shape[1]]
        outputs[port["name"]] = np.zeros(shape, np.float32)
        arguments.append(outputs[port["name"]])
    library.network_float(*(array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for array in arguments))
    return {
        port["name"]: (
            np.moveaxis(outputs[port["name"]], -1, 1) if port["channels_last"] else outputs[port["name"]]
        ).astype(port["dtype"])
        for port in description["outputs"]
    }
