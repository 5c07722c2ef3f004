"""IR -> one C file, and its execution under QEMU's model of a Cortex-M. Runs in the c-source toolchain."""

import importlib.metadata
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, executing
from ..tflite import lowering
from ..tflite.graph import Tensor
from . import building, elementwise, layers, moving, sections  # noqa: F401  the first three register what they write
from .header import Argument, arguments, header, ports, signature
from .writing import EMITTERS, Writer

_HERE = Path(__file__).parent
_LICENCE = (
    "model.c and model.h are made by dlpipe (Apache License 2.0) from the model; the kernels in model.c are dlpipe's\n"
    "own and may be used under that licence. The weights are the model's.\n"
)


@operation
def compile_(request: Request) -> object:
    """ir -> model.c, model.h, run.c, run.json, LICENSES/. params: target, variant (fp32 or int8), cpu (as zig names
    it), flash and ram (bytes)."""
    params, contract = request.params, artifact.contract(request)
    lowered = lowering.lower(Path(request.inputs["ir"], "model.onnx"), native=True, integer=params["variant"] == "int8")
    given = [
        argument
        for side, tensors in (("inputs", lowered.graph.inputs), ("outputs", lowered.graph.outputs))
        for argument in arguments(
            tensors, [{**port, **lowered.ports[port["name"]]} for port in contract[side]], side == "inputs"
        )
    ]
    _refuse_types(given)
    writer = Writer(lowered.graph, {id(each.tensor): each.name for each in given})
    for op in lowered.graph.ops:
        if op.kind not in EMITTERS:
            raise Refused(f"{op.kind} (for {op.outputs[0].name!r}) has no C here", kind="unsupported", op=op.kind)
        writer.say(f"  /* {op.kind} */")
        try:
            EMITTERS[op.kind](writer, op)
        except elementwise.OperatorRefused as refused:
            raise Refused(str(refused), kind="unsupported", op=op.kind) from refused
    title = f"Written by dlpipe for {params['target']}, {params['variant']}."
    out = Path(request.out)
    (out / "model.c").write_text(writer.text(f"/* {title} */", signature(given)), encoding="utf-8")
    (out / "model.h").write_text(header(given, title, writer.plan.size), encoding="utf-8")
    tool = f"zig-cc {importlib.metadata.version('ziglang')}"
    sizes = _sizes(out, params)
    described: tuple[list[Any], list[Any]] = ([], [])
    for each in given:
        dtype = each.tensor.dtype
        described[not each.is_input].append(
            {**each.port, "argument": each.name, "held_as": dtype, "laid": each.tensor.shape}
        )
    artifact.describe(
        request,
        "c-source",
        ("none", "C99"),
        "model.c",
        described,
        operators=lowered.graph.kinds(),
        flash=sizes.flash,
        ram=sizes.ram,
    )
    artifact.sample_program(request, _HERE / "sample_run.c", "run.c")
    (out / "LICENSES").mkdir()
    (out / "LICENSES" / "dlpipe.txt").write_text(_LICENCE, encoding="utf-8")
    by = f"sections of model.c's object file ({tool} -O2 for {params['cpu']}); the stack is not in it"
    flash = {"value": sizes.flash, "unit": "bytes", "provenance": "measured", "reason": by}
    ram = {"value": sizes.ram, "unit": "bytes", "provenance": "measured", "reason": by}
    estimates = {"flash_used": flash, "ram_used": ram, "peak_memory": ram}
    return {"tool": tool, "entry": "model.c", "estimates": estimates}


def _refuse_types(given: list[Argument]) -> None:
    for each in given:
        if each.tensor.dtype not in ("float32", "int8", "uint8", "int16", "int32", "int64", "bool"):
            raise Refused(f"{each.port['name']} is {each.tensor.dtype}, which has no C type here", kind="unsupported")


def _sizes(out: Path, params: dict[str, Any]) -> sections.Sizes:
    """Compile what was written. Raises Refused where it does not fit into the target."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("model.c", "model.h"):
            shutil.copyfile(out / name, Path(folder, name))
        sizes = sections.sizes(building.compiled(params["cpu"], "model.c", Path(folder)))
    for what, used, there in (("flash", sizes.flash, params["flash"]), ("RAM", sizes.ram, params["ram"])):
        if used > there:
            raise Refused(
                f"it needs {used:,} bytes of {what}, and {params['target']} has {there:,}",
                kind="unsupported",
                hint="--precision int8, a smaller input, or a target file of your own with what your part has"
                if params["variant"] != "int8"
                else "a smaller model or input, or a target file of your own with what your part has",
            )
    return sizes


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`: what is shipped, compiled with a harness that reads the samples, under QEMU.
    params: cpu (as zig names it), emulated (as QEMU does)."""
    params = request.params
    described = json.loads(Path(request.inputs["artifact"], "run.json").read_text(encoding="utf-8"))
    samples = executing.read(
        str(Path(request.inputs["samples"], "samples.npz")), tuple(port["name"] for port in described["inputs"])
    )
    count = min(len(array) for array in samples.values())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _program(folder, request, described)
        with (folder / "inputs.bin").open("wb") as file:
            for index in range(count):
                for port in described["inputs"]:
                    file.write(_given(samples[port["name"]][index], port).tobytes())
        started = time.perf_counter()
        emulator = Path(request.resources["qemu-user"], "usr/bin/qemu-arm")
        command = [str(emulator), "-cpu", params["emulated"], "./program"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        seconds = time.perf_counter() - started
        if done.returncode:
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
            raise RuntimeError(f"the program under {emulator.name} ended with {how}: {done.stderr.strip()[-300:]}")
        found = _taken((folder / "outputs.bin").read_bytes(), described["outputs"], count)
    executing.save(str(Path(request.out, "outputs.npz")), found)
    tool = f"zig-cc {importlib.metadata.version('ziglang')}"
    return {
        "ran_on": emulator.name,
        "machine": params["emulated"],
        "tool": tool,
        "samples": count,
        "median_seconds": statistics.median([seconds / max(count, 1)]),
    }


def _program(folder: Path, request: Request, described: dict[str, Any]) -> None:
    source = Path(request.inputs["artifact"])
    for file in ("model.c", "model.h"):
        shutil.copyfile(source / file, folder / file)
    shutil.copyfile(_HERE / "harness.c", folder / "harness.c")
    given = [
        Argument(port["argument"], Tensor(port["name"], tuple(port["laid"]), port["held_as"]), port, side == "inputs")
        for side in ("inputs", "outputs")
        for port in described[side]
    ]
    (folder / "ports.h").write_text(ports(given), encoding="utf-8")
    program = building.program(request.params["cpu"], ["harness.c", "model.c"], folder)
    sections.sizes(program)  # it is for Arm, and nothing else could have run


def _given(value: Any, port: dict[str, Any]) -> Any:
    """As the C wants it, from what the contract says."""
    if "order" in port:
        value = np.transpose(value, np.argsort(port["order"]))
    if "scale" in port:
        value = np.clip(np.rint(value / np.float32(port["scale"])) + port["zero"], -128, 127)
    return np.ascontiguousarray(value, port["held_as"])


def _taken(data: bytes, described: list[dict[str, Any]], count: int) -> dict[str, Any]:
    found: dict[str, list[Any]] = {port["name"]: [] for port in described}
    at = 0
    for _ in range(count):
        for port in described:
            dtype, shape = np.dtype(port["held_as"]), port["laid"]
            places = int(np.prod(shape, dtype=np.int64))
            value = np.frombuffer(data, dtype, places, at).reshape(shape)
            at += places * dtype.itemsize
            if "scale" in port:
                value = (value.astype(np.float32) - port["zero"]) * np.float32(port["scale"])
            if "order" in port:
                value = value.transpose(port["order"])
            found[port["name"]].append(value.astype(port["dtype"]))
    if at != len(data):
        raise RuntimeError(f"the program wrote {len(data)} bytes of outputs, and {at} were expected")
    return {name: np.stack(values) for name, values in found.items()}


@operation
def coverage(request: Request) -> object:
    """TFLite's operators that C is written for."""
    del request
    return {"operators": sorted(EMITTERS)}
