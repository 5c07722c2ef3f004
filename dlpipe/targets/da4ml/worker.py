"""Quantised IR -> a circuit in Verilog by da4ml, what it takes of a device, and its execution in Verilator."""

import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, executing
from . import arithmetic, calling, curves, moving, pooling, products, quantising, synthesis
from .graph import Graph, walk
from .hardware import Circuit, Pending, Port, Values, uniform
from .programs import Failed, Root, TooLong
from .project import TOP, Project
from .simulation import SIMULATORS

_OPERATORS = {
    **arithmetic.OPERATORS,
    **curves.OPERATORS,
    **moving.OPERATORS,
    **pooling.OPERATORS,
    **products.OPERATORS,
    **quantising.OPERATORS,
}
_BITS = {"int8": 8, "int4": 4}
_NO_VENDOR = "the vendor's tools are needed for that"


@operation
def compile_(request: Request) -> object:
    """ir -> rtl/, testbench/, board/, run.json, run.md, run.py, calling.py, LICENSES/, network.bit where one is made.

    params: target, variant (int8 or int4), and options: family, part, delay, luts, clock_mhz, synthesis_seconds,
    place_and_route_seconds, device_option, package ...
    """
    params, options = request.params, request.params["options"]
    contract = artifact.contract(request)
    _refuse_free_dims(contract["inputs"])
    request.progress("tracing", 0.0)
    circuit = Circuit(options["delay"])
    graph = Graph(circuit, _BITS[params["variant"]])
    ports, outputs = walk(Path(request.inputs["ir"], "model.onnx"), contract["inputs"], graph, _OPERATORS)
    for port in ports:
        if port.scale is None:
            raise Refused(f"nothing quantises the input {port.name}, or nothing uses it", kind="unsupported")
    settled = [(name, *_settled(circuit, value)) for name, value in outputs]
    wires = [wire for _, values, _ in settled for wire in values.wires.ravel()]
    project = Project(ports, wires, options["delay"])
    request.progress("tracing", 1.0)
    out = Path(request.out)
    _refuse_large(project, options, params["target"], options["estimate_limit"])
    project.write(out, options["part"], 1000 / options["clock_mhz"])
    description = _describe(request, contract, ports, settled, project)
    for file in ("calling.py", "sample_run.py"):
        artifact.sample_program(request, Path(__file__).with_name(file), file.replace("sample_run", "run"))
    (out / "run.md").write_text(calling.instructions(description), encoding="utf-8")
    _licences(request)
    flow = _estimated(request, out, options)
    _refuse_synthesised(flow, options, params["target"])
    flow.figures["latency_edges"] = {
        "value": project.latency,
        "unit": "clock edges",
        "reason": "as the circuit is written",
    }
    _latency(flow, project.latency)
    tool = "da4ml " + importlib.metadata.version("da4ml")
    return {"tool": ", ".join([tool, *flow.tools]), "entry": "rtl", "estimates": flow.figures}


def _refuse_free_dims(ports: list[dict[str, Any]]) -> None:
    for port in ports:
        free = [dim for axis, dim in enumerate(port["shape"]) if axis and isinstance(dim, str)]
        if free:
            raise Refused(
                f"a circuit has fixed widths, and {port['name']} has the free dim {free[0]}",
                kind="unsupported",
                hint=f"--shape {free[0]}=<size>",
            )


def _settled(circuit: Circuit, value: Values | Pending) -> tuple[Values, dict[str, Any] | None]:
    """An output with one scale for all of it, and what the host computes of it."""
    host = None
    if isinstance(value, Pending):
        if value.op not in calling.FUNCTIONS:
            raise Refused(f"{value.op} at an output is computed by no host", kind="unsupported", op=value.op)
        host = {"op": value.op, "axis": value.axis}
        value = value.value
    scale = float(value.scale.max())
    if uniform(value.scale) is not None:
        return value, host
    wires = np.empty(value.shape, object)
    for place, wire in np.ndenumerate(value.wires):
        wires[place] = circuit.round(wire, float(value.scale[place]) / scale, -np.inf, np.inf)
    return Values(wires, np.full(value.shape, scale)), host


def _describe(
    request: Request,
    contract: Any,
    ports: list[Port],
    outputs: list[tuple[str, Values, dict[str, Any] | None]],
    project: Project,
) -> dict[str, Any]:
    given, at = [], 0
    for port, made in zip(contract["inputs"], ports, strict=True):
        given.append(
            {
                **port,
                "first_word": at,
                "words": len(made.wires),
                "scale": made.scale,
                "low": made.low,
                "high": made.high,
            }
        )
        at += len(made.wires)
    found, at = [], 0
    unit = 2.0**-project.out_fraction
    for port, (_, values, host) in zip(contract["outputs"], outputs, strict=True):
        words = int(values.wires.size)
        found.append(
            {**port, "first_word": at, "words": words, "scale": float(values.scale.flat[0]) * unit, "host": host}
        )
        at += words
    circuit = {
        "top": TOP,
        "clock": "clk",
        "latency": project.latency,
        "initiation_interval": 1,
        "input": {
            "port": "model_inp",
            "words": project.inputs,
            "word": project.in_bits,
            "width": project.inputs * project.in_bits,
        },
        "output": {
            "port": "model_out",
            "words": project.outputs,
            "word": project.out_bits,
            "width": project.outputs * project.out_bits,
            "signed": project.out_signed,
        },
        "da4ml_estimate": project.estimate,
    }
    runtime = "da4ml", importlib.metadata.version("da4ml")
    return artifact.describe(request, "da4ml", runtime, "rtl", (given, found), circuit=circuit)


def _refuse_large(project: Project, options: Mapping[str, Any], target: str, limit: float) -> None:
    if project.estimate["luts"] > limit * options["luts"]:
        raise _too_large(f"da4ml estimates {project.estimate['luts']} look-up tables", options, target)


def _refuse_synthesised(flow: synthesis.Flow, options: Mapping[str, Any], target: str) -> None:
    if flow.luts is not None and flow.luts > options["luts"]:
        raise _too_large(f"after synthesis it takes {flow.luts} look-up tables", options, target)


def _too_large(what: str, options: Mapping[str, Any], target: str) -> Refused:
    return Refused(
        f"the circuit does not fit {options['device']} ({target}): {what}, and the device has {options['luts']}",
        kind="unsupported",
        hint="--precision int4, --recipe fpga-lowbit (weights that are zero cost nothing), or a larger device",
    )


def _estimated(request: Request, out: Path, options: Mapping[str, Any]) -> synthesis.Flow:
    """Synthesis, and place-and-route where it is asked for; what takes too long or fails is absent with the reason."""
    flow = synthesis.Flow(options["family"])
    if not options["synthesis_seconds"]:
        why = "synthesis was not asked for (options.da4ml.synthesis_seconds of the target is 0)"
        flow.absent(why, "luts", "flip_flops", "fmax")
        return flow
    root = Root(Path(request.resources["fpga-flow"]))
    routed = bool(options["place_and_route_seconds"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            shell = out / "board" / "network_serial.v" if routed else None
            netlist = synthesis.synthesise(
                out, flow, root, folder, options["synthesis_seconds"], request.progress, shell
            )
            if options["family"] not in ("ecp5", "ice40"):
                flow.absent(f"no open place-and-route for this family: {_NO_VENDOR}", "fmax")
            elif not routed:
                why = "place-and-route takes long: a target with options.da4ml.place_and_route_seconds has it done"
                flow.absent(why, "fmax")
            elif flow.luts is not None and flow.luts <= options["luts"]:
                bits = synthesis.place(flow, options, netlist, root, folder, request.progress)
                shutil.copyfile(bits, out / "network.bit")
        except (TooLong, Failed) as reason:
            request.note(f"{reason}: its figures are absent", "warning")
            flow.absent(str(reason), "luts", "flip_flops", "fmax")
    return flow


def _latency(flow: synthesis.Flow, edges: int) -> None:
    clock = flow.figures.get("fmax", {}).get("value")
    if clock:
        figure = {
            "value": round(1000 * edges / clock, 1),
            "unit": "ns",
            "reason": "edges at that Fmax, without the shell",
        }
        flow.figures["circuit_latency"] = figure


def _licences(request: Request) -> None:
    """da4ml's package names its licence and has no text of it; its parts in rtl/static are under it."""
    artifact.licences(request, "da4ml")
    named = importlib.metadata.metadata("da4ml")["License"] or "see the package"
    text = (
        f"rtl/static/*.v are parts of da4ml {importlib.metadata.version('da4ml')}, with the name of a lint rule and\n"
        f"an attribute written so that more tools read them. Its licence, as the package states it: {named}\n"
        "(SPDX: LGPL-3.0-only).\n"
        "The other Verilog was generated from your model.\n"
    )
    Path(request.out, "LICENSES", "da4ml.txt").write_text(text, encoding="utf-8")


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`. params: simulator (verilator or icarus). Raises RuntimeError where the
    simulation is not, bit by bit, what da4ml's interpreter computed for the testbench."""
    folder = Path(request.inputs["artifact"])
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    circuit = description["circuit"]
    names = tuple(port["name"] for port in description["inputs"])
    samples = executing.read(str(Path(request.inputs["samples"], "samples.npz")), names)
    count = min(len(array) for array in samples.values())
    root = Root(Path(request.resources["hdl-simulators"]))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            kind = SIMULATORS[request.params["simulator"]]
            simulator = kind(folder, circuit, root, Path(scratch), request.progress)
            request.progress("simulating", 0.5)
            levels = np.stack(
                [calling.levels(description, {name: samples[name][i] for name in names}) for i in range(count)]
            )
            words = simulator(levels)
        except Failed as error:
            raise RuntimeError(str(error)) from error
    found = [calling.values(description, row) for row in words]
    arrays = {name: np.stack([each[name] for each in found]) for name in found[0]}
    executing.save(str(Path(request.out, "outputs.npz")), arrays)
    return {
        "ran_on": f"simulator:{simulator.name}",
        "machine": platform.machine(),
        "tool": f"{simulator.name} {synthesis.version(root, simulator.package)}",
        "samples": count,
        "bit_exact_vectors": simulator.vectors,
        "clock_edges": count + circuit["latency"],
    }


os.environ.setdefault("OMP_NUM_THREADS", "1")  # of da4ml's search
