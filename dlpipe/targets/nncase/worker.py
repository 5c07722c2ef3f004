"""IR -> .kmodel, and its execution in nncase's simulator of the K210. Runs in the nncase toolchain."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nncase
import numpy as np
import onnx
from dlpipe_worker import Refused, Request, operation

from ..kit import apart, artifact, executing, operations, ports
from ..kit.executing import Array, Arrays

_ENTRY = "model.kmodel"
_TARGET = "k210"
_TOOL = "nncase " + version("nncase")
_WORKING_MEMORY = re.compile(r"^TOTAL\s.*\((\d+) B\)", re.MULTILINE)
_UNKNOWN_OPERATOR = re.compile(r"Not supported ONNX opcode: (\w+)|operator (\w+) is not supported", re.IGNORECASE)


@operation
def compile_(request: Request) -> object:
    """ir, for int8 also samples (to calibrate with) -> model.kmodel, run.json, run.py, LICENSES/.

    params: target, variant (int8 or fp32), memory (bytes that the chip has for a model that runs).
    """
    contract, out = artifact.contract(request), Path(request.out)
    inputs = [_float(port) for port in ports.fixed_inputs(contract, "nncase")]
    source = _fixed(Path(request.inputs["ir"], "model.onnx"), inputs)
    samples = _calibration(request, inputs) if request.params["variant"] == "int8" else None
    status, said = apart.apart(lambda: (out / _ENTRY).write_bytes(_compiled(source, samples)))
    if status:
        raise _failure(status, said)
    memory = int(_WORKING_MEMORY.findall(said)[-1])
    if memory > request.params["memory"]:
        raise Refused(
            f"it needs {memory:,} bytes while it runs, and {request.params['target']} has {request.params['memory']:,}",
            kind="unsupported",
            hint="--precision int8, or a smaller model",
        )
    runtime = "nncase", version("nncase")
    artifact.describe(request, "nncase", runtime, _ENTRY, (inputs, contract["outputs"]))
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "nncase")
    if samples is None:
        request.note("fp32 is computed by the chip's RISC-V cores: its neural accelerator (KPU) takes 8 bits")
    estimates = {"working_memory": {"value": memory, "unit": "bytes"}}
    return {"tool": _TOOL, "entry": _ENTRY, "estimates": estimates}


def _float(port: dict[str, Any]) -> dict[str, Any]:
    if port["dtype"] != "float32":
        raise Refused(f"nncase is fed with float32 here, and {port['name']} is {port['dtype']}", kind="unsupported")
    return port


def _fixed(path: Path, inputs: list[dict[str, Any]]) -> bytes:
    """With the sizes of the inputs, and of all that is computed of them, which its importer asks for."""
    model = onnx.load(str(path))
    sizes = {port["name"]: port["shape"] for port in inputs}
    for value in model.graph.input:
        if value.name in sizes:
            for dim, size in zip(value.type.tensor_type.shape.dim, sizes[value.name], strict=True):
                dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:  # inference would keep the names of free dims
        value.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return bytes(inferred.SerializeToString(deterministic=True))


def _calibration(request: Request, inputs: list[dict[str, Any]]) -> Array:
    """[N, *shape] of the only input."""
    return executing.read(str(Path(request.inputs["samples"], "samples.npz")), (inputs[0]["name"],))[inputs[0]["name"]]


def _compiled(source: bytes, samples: Array | None) -> bytes:
    options = nncase.CompileOptions()
    options.target = _TARGET
    if samples is not None:
        options.input_type = "float32"  # what it is fed with; what is computed is 8 bits
    compiler = nncase.Compiler(options)
    compiler.import_onnx(source, nncase.ImportOptions())
    if samples is not None:
        quantisation = nncase.PTQTensorOptions()
        quantisation.samples_count = len(samples)
        quantisation.set_tensor_data(np.ascontiguousarray(samples).tobytes())
        compiler.use_ptq(quantisation)
    compiler.compile()
    return bytes(compiler.gencode_tobytes())


def _failure(status: int, said: str) -> Exception:
    """What it says of a model is an exception of its own; anything else is a crash."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()] or ["it said nothing"]
    if status != 1:
        return RuntimeError(f"nncase {apart.how_it_ended(status)}: {lines[-1][:400]}")
    unknown = _UNKNOWN_OPERATOR.search(said)
    start = next((place for place, line in enumerate(lines) if line.startswith("RuntimeError:")), len(lines) - 1)
    reason = " ".join(lines[start:])[:400].removeprefix("RuntimeError: ")
    op = next(filter(None, unknown.groups()), None) if unknown else None
    return Refused(f"nncase does not compile the model: {reason}", kind="unsupported", op=op)


class Model(executing.Model):
    """In the simulator, which takes what the chip takes."""

    tool = _TOOL

    def __init__(self, folder: str, threads: int = 1) -> None:
        del threads
        described = executing.described(folder)
        self._ports = described["inputs"], described["outputs"]
        self.inputs = tuple(port["name"] for port in described["inputs"])
        self._simulator = nncase.Simulator()
        self._simulator.load_model(Path(folder, described["entry"]).read_bytes())

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        for place, port in enumerate(self._ports[0]):
            array = np.ascontiguousarray(feeds[port["name"]], port["dtype"])
            self._simulator.set_input_tensor(place, nncase.RuntimeTensor.from_numpy(array))
        self._simulator.run()
        found = (self._simulator.get_output_tensor(place).to_numpy() for place in range(len(self._ports[1])))
        return {
            port["name"]: executing.conforming(np.array(value), port, "nncase")
            for port, value in zip(self._ports[1], found, strict=True)
        }


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, in nncase's simulator."""
    return operations.run(request, Model, ran_on="simulator:nncase")
