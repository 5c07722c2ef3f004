"""IR -> a compiled model with all it needs to run without Python. Runs in the tvm toolchain."""

import json
import platform
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import tvm
from dlpipe_worker import Refused, Request, operation

from . import importing, linking, scheduling

_LICENCES = ("LICENSE", "NOTICE", "LICENSE.builtin_fp16.txt")  # those of what is in the two libraries
_LIBRARIES = ("tvm/lib/libtvm_runtime.so", "tvm_ffi/lib/libtvm_ffi.so")
_UNTUNED = "untuned: loops are arranged by a fixed rule, not by a search on the target (--tune)"
_QDQ = "TVM computes this int8 model in fp32, exactly as its QDQ operators say: int8 brings neither speed nor size here"


@operation
def compile_(request: Request) -> object:
    """ir, records -> `model.so` (weights inside), `runner`, `lib/`, run.json, LICENSES/.

    records: only where the target has been tuned for: `chosen.json`, workload -> trace of its loops.

    params: arch, llvm (TVM's description of the target), target, variant, wheels (the resource with the runtime
    libraries, or null for those of this toolchain), zig (the target as zig names it).
    """
    out = Path(request.out)
    model = importing.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    inputs, outputs = importing.inputs(model), importing.ports(list(model.graph.output))
    request.progress("importing", 0.0)
    module = importing.to_relax(model, request.params["variant"])
    request.progress("compiling", 0.1)
    target = tvm.target.Target(request.params["llvm"])
    executable, tuned, operators = scheduling.compile_(scheduling.loops(module, target), target, _chosen(request))
    request.progress("linking", 0.7)
    _copy_libraries(request, out / "lib")
    zig = request.params["zig"]
    executable.export_library(
        str(out / "model.so"), fcompile=lambda path, objects, **_: linking.shared_library(zig, Path(path), objects)
    )
    linking.runner(zig, out / "runner", out / "lib")
    notes = [f"tuned: {tuned} of {operators} operators as a search on the target arranged them" if tuned else _UNTUNED]
    notes += [_QDQ] if request.params["variant"] == "int8" else []
    description = {
        "backend": "tvm",
        "target": request.params["target"],
        "variant": request.params["variant"],
        "runtime": {"name": "apache-tvm", "version": tvm.__version__},
        "tuned": bool(tuned),
        "entry": "model.so",
        "command": ["./runner", "model.so", "INPUTS", "OUTPUTS"],
        "inputs": [{**port, "file": f"{index}.npy"} for index, port in enumerate(inputs)],
        "outputs": [{**port, "file": f"{index}.npy"} for index, port in enumerate(outputs)],
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    (out / "run.json").write_text(text, encoding="utf-8")
    _copy_licences(out / "LICENSES")
    for note in notes:
        request.note(note)
    return {"tool": f"apache-tvm {tvm.__version__}", "entry": "model.so", "tuned": bool(tuned), "notes": notes}


def _chosen(request: Request) -> Any:
    if "records" not in request.inputs:
        return {}
    return json.loads(Path(request.inputs["records"], "chosen.json").read_text(encoding="utf-8"))


def _copy_libraries(request: Request, folder: Path) -> None:
    wheels = request.params["wheels"]
    if wheels is not None:
        site = Path(request.resources[wheels]) / "site"
    elif platform.machine() == request.params["arch"]:
        site = Path(tvm.__file__).parents[1]
    else:
        raise Refused(
            f"TVM's runtime for {request.params['arch']} is not to be had on {platform.machine()}", "unsupported"
        )
    folder.mkdir()
    for name in _LIBRARIES:
        shutil.copyfile(site / name, folder / Path(name).name)
        (folder / Path(name).name).chmod(0o755)


def _copy_licences(folder: Path) -> None:
    folder.mkdir()
    for package in ("apache-tvm", "apache-tvm-ffi"):
        for file in distribution(package).files or ():
            if file.name in _LICENCES:
                shutil.copyfile(str(file.locate()), folder / f"{package}-{file.name.removesuffix('.txt')}.txt")


@operation
def coverage(_request: Request) -> object:
    """What this TVM imports: {"tool", "operators": [names of the standard domain]}. Kept in operators.json."""
    return {"tool": f"apache-tvm {tvm.__version__}", "operators": sorted(importing.operators())}
