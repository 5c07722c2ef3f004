"""IR -> ncnn's .param and .bin by pnnx, and their execution on this machine. Runs in the ncnn toolchain."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations
from . import guest

# What pnnx calls operators that ncnn has no layer for -> ONNX's name, where all nodes of that are meant.
_OPERATORS = {
    "Tensor.to": "Cast",
    "torch.eq": "Equal",
    "torch.ge": "GreaterOrEqual",
    "torch.gt": "Greater",
    "torch.le": "LessOrEqual",
    "torch.logical_and": "And",
    "torch.logical_not": "Not",
    "torch.logical_or": "Or",
    "torch.logical_xor": "Xor",
    "torch.lt": "Less",
    "torch.where": "Where",
}
_NUMBERS = {"float32": "f32", "float16": "f16", "int64": "i64", "int32": "i32"}


@operation
def compile_(request: Request) -> object:
    """ir -> model.param, model.bin, run.json, run.py, LICENSES/. params: target, variant (fp32, fp16, bf16), vulkan."""
    ir, out = Path(request.inputs["ir"]), Path(request.out)
    contract = artifact.contract(request)
    with tempfile.TemporaryDirectory() as folder:
        made = _convert(ir, Path(folder), contract, request.params["variant"])
        shutil.copyfile(made / "model.ncnn.param", out / "model.param")
        shutil.copyfile(made / "model.ncnn.bin", out / "model.bin")
        blobs = _blobs((made / "model_ncnn.py").read_text(encoding="utf-8"))
    _refuse_unknown_layers(out / "model.param")
    half = request.params["variant"] == "fp16"
    options = {
        **dict.fromkeys(("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"), half),
        "use_bf16_storage": request.params["variant"] == "bf16",
        "use_vulkan_compute": request.params["vulkan"],
    }
    ports = _mapped(contract["inputs"], blobs["in"], "inputs"), _mapped(contract["outputs"], blobs["out"], "outputs")
    runtime = "ncnn", importlib.metadata.version("ncnn")
    _prove(out, artifact.describe(request, "ncnn", runtime, "model.param", ports, options=options))
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "ncnn")
    return {"tool": "pnnx " + importlib.metadata.version("pnnx"), "entry": "model.param"}


def _convert(ir: Path, folder: Path, contract: dict[str, Any], variant: str) -> Path:
    """Run pnnx, which writes beside its input. Raises Refused with what it said when it makes no model."""
    for file in sorted(ir.glob("model.onnx*")):
        (folder / file.name).symlink_to(file.resolve())
    package = importlib.util.find_spec("pnnx")  # found, not imported: its __init__ wants PyTorch
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).with_name("pnnx")
    shapes = ",".join(_shape(port) for port in contract["inputs"])
    arguments = ["model.onnx", f"fp16={int(variant == 'fp16')}", "inputshape=" + shapes]
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, errors="replace")
    said = (done.stdout + done.stderr).strip()
    sys.stdout.write(said + "\n")
    if done.returncode or not (folder / "model.ncnn.param").is_file():
        lines = [line.strip() for line in said.splitlines() if "failed" in line.lower() or "not supported" in line]
        raise Refused(
            f"pnnx cannot convert the model: {(lines or [said[-300:] or 'it crashed'])[0][:400]}", kind="unsupported"
        )
    return folder


def _shape(port: dict[str, Any]) -> str:
    """`[1,3,224,224]f32`: the batch is fixed at one; any other free dim has to be settled first."""
    dims = [1 if axis == 0 and isinstance(dim, str) else dim for axis, dim in enumerate(port["shape"])]
    if free := [dim for dim in dims if isinstance(dim, str)]:
        raise Refused(
            f"ncnn needs fixed shapes, and {port['name']} has the free dim {free[0]}",
            kind="unsupported",
            hint=f"--shape {free[0]}=<size>",
        )
    if port["dtype"] not in _NUMBERS:
        raise Refused(f"ncnn takes no {port['dtype']} input ({port['name']})", kind="unsupported")
    return "[" + ",".join(map(str, dims)) + "]" + _NUMBERS[port["dtype"]]


def _blobs(sample: str) -> dict[str, list[tuple[str, int]]]:
    """Blob names and batch axes, in order, from the calling code that pnnx generates (233: there is none)."""
    inputs = re.findall(r'ex\.input\("(\w+)", ncnn\.Mat\(\w+\.numpy\(\), batch_index=(\d+)\)', sample)
    outputs = re.findall(r'_, (\w+) = ex\.extract\("\1"\)\s+out\.append\(.*?batch_index=(\d+)', sample)
    return {kind: [(blob, int(axis)) for blob, axis in found] for kind, found in (("in", inputs), ("out", outputs))}


def _mapped(ports: list[dict[str, Any]], blobs: list[tuple[str, int]], what: str) -> list[dict[str, Any]]:
    if len(ports) != len(blobs):
        raise Refused(f"pnnx made {len(blobs)} {what} of the model's {len(ports)}", kind="unsupported")
    return [{**port, "blob": blob, "batch_index": axis} for port, (blob, axis) in zip(ports, blobs, strict=True)]


def _refuse_unknown_layers(param: Path) -> None:
    """pnnx passes on what it does not know; ncnn would fail to load it."""
    for line in param.read_text(encoding="utf-8").splitlines()[2:]:
        kind, name = line.split()[:2]
        if ncnn.layer_to_index(kind) < 0:
            # `name` is pnnx's: no node of the model has it
            raise Refused(f"ncnn has no layer {kind} (for {name})", kind="unsupported", op=_OPERATORS.get(kind, kind))


def _prove(folder: Path, description: dict[str, Any]) -> None:
    """Load and call it once, with zeros."""
    shapes = {
        port["name"]: [1 if isinstance(dim, str) else dim for dim in port["shape"]] for port in description["inputs"]
    }
    try:
        model = guest.Model(str(folder), on_processor=True)
        model.run({port["name"]: np.zeros(shapes[port["name"]], port["dtype"]) for port in description["inputs"]})
    except RuntimeError as error:
        raise Refused(f"what pnnx made does not work: {error}", kind="unsupported") from error


operations.serve(__name__, guest.Model)
