"""IR -> OpenCL C, and the order in which its kernels are called: no runtime of TVM's is needed. Runs in tvm.

Relax arranges a model as a list of calls of loops, and dlight arranges the loops for a GPU: each becomes one kernel or
more. Their source is TVM's; what TVM's runtime would do (make buffers, start kernels) is written down in run.json.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from dlpipe_worker import Refused, Request, operation
from tvm import relax
from tvm.s_tir import dlight

from ..kit import artifact, executing
from . import importing

# What the rules may use of a GPU: what OpenCL 1.2 devices have in common. Mobile ones have little local memory.
_LIMITS = {"max_num_threads": 256, "max_shared_memory_per_block": 16384}
_HOST = {"kind": "llvm", "mtriple": "x86_64-linux-gnu"}  # of code that is not kept
_KERNEL = re.compile(r"^__kernel void (\w+)\((.*)\);$", re.MULTILINE)
_UNTUNED = "untuned: kernels are arranged by TVM's fixed rules for GPUs (dlight), not by a search on one"
_AXES = "xyz"


@operation
def compile_(request: Request) -> object:
    """ir -> `kernels.cl`, `weights.npz`, run.json (buffers and launches, in order), run.py, opencl.py, LICENSES/.

    params: target, variant.
    """
    out = Path(request.out)
    model = importing.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    inputs, outputs = importing.inputs(model), importing.ports(list(model.graph.output))
    module = importing.to_relax(model, request.params["variant"])
    target = tvm.target.Target({"kind": "opencl", **_LIMITS}, host=tvm.target.Target(_HOST))
    request.progress("compiling", 0.2)
    module, source = _compile(module, target)
    plan = _Plan(module, dict(_KERNEL.findall(source)))
    plan.read([port["name"] for port in inputs])
    (out / "kernels.cl").write_text(source, encoding="utf-8")
    executing.save(str(out / "weights.npz"), plan.weights)
    placed = zip(outputs, plan.results, strict=True)
    ports = (
        [{**port, "buffer": place} for place, port in enumerate(inputs)],
        [{**port, "buffer": place} for port, place in placed],
    )
    more = {"kernels": "kernels.cl", "buffers": plan.sizes, "launches": plan.launches, "tuned": False}
    artifact.describe(request, "tvm", ("OpenCL", "1.2"), "kernels.cl", ports, **more)
    artifact.sample_program(request, Path(__file__).with_name("sample_opencl.py"))
    shutil.copyfile(Path(__file__).parents[1] / "kit" / "opencl.py", out / "opencl.py")
    artifact.licences(request, "apache-tvm")
    request.note(_UNTUNED)
    return {"tool": f"apache-tvm {tvm.__version__}", "entry": "kernels.cl", "tuned": False}


def _compile(module: Any, target: Any) -> tuple[Any, str]:
    """The module as its kernels are called, and their source."""
    rules = dlight.gpu
    with target:
        module = relax.get_pipeline("zero")(module)
        module = dlight.ApplyDefaultSchedule(
            rules.Matmul(), rules.GEMV(), rules.Reduction(), rules.GeneralReduction(), rules.Fallback()
        )(module)
        made = tvm.compile(module, target=target)
    source = next((each.inspect_source() for each in _imported(made.mod) if each.kind == "opencl"), None)
    if source is None:
        raise Refused("there is nothing in the model for a GPU to compute", kind="unsupported")
    return module, source


def _imported(module: Any) -> Iterator[Any]:
    for each in module.imports:
        yield each
        yield from _imported(each)


class _Plan:
    """`sizes`: bytes of each buffer, the inputs' first; `weights`: the number of a buffer -> what is in it; `launches`:
    kernel, buffers, work groups and work items of each; `results`: the outputs' buffers."""

    def __init__(self, module: Any, kernels: dict[str, str]) -> None:
        """kernels: name -> the text of its parameters."""
        self.sizes: list[int] = []
        self.weights: dict[str, Any] = {}
        self.launches: list[dict[str, Any]] = []
        self.results: list[int] = []
        self._module = module
        self._kernels = kernels

    def read(self, inputs: list[str]) -> None:
        main = self._module["main"]
        known: dict[Any, list[int]] = {}
        for variable, name in zip(main.params, inputs, strict=True):
            if variable.name != name and len(main.params) > 1 and variable.name in inputs:
                raise RuntimeError(f"TVM has put the inputs in another order: {variable.name} is not {name}")
            known[variable] = [self._buffer(variable.ty)]
        for block in main.body.blocks:
            for binding in block.bindings:
                known[binding.var] = self._value(binding.value, known)
        self.results = known[main.body.body]

    def _value(self, value: Any, known: dict[Any, list[int]]) -> list[int]:
        """The buffers that hold it; a tuple has several."""
        if isinstance(value, tvm.ir.GenericConst):
            content = np.ascontiguousarray(value.value.numpy())
            place = self._buffer(value.ty)
            self.weights[str(place)] = content.reshape(-1)
            return [place]
        if isinstance(value, relax.Tuple):
            return [place for each in value.fields for place in self._value(each, known)]
        if isinstance(value, relax.TupleGetItem):
            return [self._value(value.tuple_value, known)[value.index]]
        if isinstance(value, relax.Call) and getattr(value.op, "name", "") == "relax.call_tir":
            given = [place for each in value.args[1].fields for place in self._value(each, known)]
            made = [self._buffer(each) for each in _tensors(value.ty)]
            self._call(value.args[0], [*given, *made])
            return made
        if value in known:
            return known[value]
        raise Refused(f"TVM computes a part of the model on the host: {str(value)[:100]}", kind="unsupported")

    def _buffer(self, type_: Any) -> int:
        self.sizes.append(_size(type_.shape, type_.dtype))
        return len(self.sizes) - 1

    def _call(self, function: Any, places: list[int]) -> None:
        """The kernels of one function, in order; what they hand to each other gets buffers too."""
        loops, name = self._module[function], function.name_hint
        buffers = list(zip(loops.params, places, strict=True))
        for number, nest in enumerate(_nests(loops.body, lambda made: buffers.append((made, self._workspace(made))))):
            kernel = f"{name}_kernel" if number == 0 else f"{name}_kernel_{number}"
            extents, mine = dict(_extents(nest)), _named(nest, buffers)
            arguments = [each.split()[-1].removesuffix("_ptr") for each in self._kernels[kernel].split(",")]
            if unknown := [each for each in arguments if each not in mine]:
                raise Refused(f"it cannot be told what {unknown[0]} of the kernel {kernel} is", kind="unsupported")
            sizes = {key: [extents.get(f"{key}.{axis}", 1) for axis in _AXES] for key in ("blockIdx", "threadIdx")}
            self.launches.append(
                {
                    "kernel": kernel,
                    "buffers": [mine[each] for each in arguments],
                    "groups": sizes["blockIdx"],
                    "items": sizes["threadIdx"],
                }
            )

    def _workspace(self, buffer: Any) -> int:
        self.sizes.append(_size(buffer.shape, buffer.dtype))
        return len(self.sizes) - 1


def _nests(statement: Any, workspace: Any) -> Iterator[Any]:
    """The loops that are spread over work items: each is a kernel. `workspace` is told of what they hand on."""
    kind = type(statement).__name__
    if kind == "For" and statement.thread_binding is not None:
        yield statement
    elif kind == "SeqStmt":
        for each in statement.seq:
            yield from _nests(each, workspace)
    elif kind == "SBlockRealize":
        for made in statement.block.alloc_buffers:
            if made.scope() == "global":
                workspace(made)
        yield from _nests(statement.block.body, workspace)
    else:
        raise Refused(f"TVM's rules leave loops to the host ({kind})", kind="unsupported")


def _extents(nest: Any) -> Iterator[tuple[str, int]]:
    """Axis of the work groups or items -> how many."""
    for each in _inside(nest):
        if type(each).__name__ == "For" and each.thread_binding is not None:
            yield str(each.thread_binding.thread_tag), int(each.extent)


def _named(nest: Any, buffers: list[tuple[Any, int]]) -> dict[str, int]:
    """The names by which a kernel knows its buffers. Several results of one function may have the same name: then it is
    that which the kernel writes. Raises Refused where that does not tell them apart."""
    written = [each.buffer for each in _inside(nest) if type(each).__name__ == "BufferStore"]
    found: dict[str, int] = {}
    for name in {str(buffer.name) for buffer, _ in buffers}:
        mine = [(buffer, place) for buffer, place in buffers if buffer.name == name]
        if len(mine) > 1:
            mine = [each for each in mine if any(each[0].same_as(other) for other in written)] or mine[:0]
        if len(mine) > 1:
            raise Refused(f"TVM gives several buffers of a kernel the name {name}", kind="unsupported")
        found.update((name, place) for _, place in mine)
    return found


def _inside(statement: Any) -> Iterator[Any]:
    """It, and the statements in it."""
    yield statement
    for part in ("body", "block", "init", "then_case", "else_case"):
        if (inner := getattr(statement, part, None)) is not None:
            yield from _inside(inner)
    for each in getattr(statement, "seq", None) or ():
        yield from _inside(each)


def _tensors(type_: Any) -> list[Any]:
    return list(type_.fields) if isinstance(type_, relax.TupleType) else [type_]


def _size(shape: Any, dtype: Any) -> int:
    count = int(np.prod([int(dim) for dim in shape], dtype=np.int64))
    return max(1, count * np.dtype(str(dtype)).itemsize)
