"""Names, dtypes and shapes of the ONNX model's inputs and outputs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dlpipe_worker import Refused

from .graphs import canonical, split

BATCH = "N"
Shape = list[int | str]


@dataclass
class Port:
    """`tensor` is its name in the graph that is converted, `source` in the model as it was given."""

    name: str
    tensor: str
    source: str
    dtype: str
    shape: Shape

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "shape": self.shape, "source": self.source}


def simple_names(tensors: Iterable[str]) -> dict[str, str]:
    """Tensor -> a name of letters, digits, `_` and `.` that every later tool takes. `x:0` is x, `x:1` is x.1."""
    names: dict[str, str] = {}
    for tensor in tensors:
        node, port = split(tensor)
        plain = re.sub(r"[^A-Za-z0-9_.]", "_", node) + (f".{port}" if port else "")
        plain = plain if plain[0].isalpha() or plain[0] == "_" else "_" + plain
        name, number = plain, 1
        while name in names.values():
            number += 1
            name = f"{plain}_{number}"
        names[tensor] = name
    return names


def dtype_name(tensor: Any) -> str:
    """numpy's name. Raises Refused for what is no tensor of numbers."""
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool):
        raise Refused(
            f"the model's port {tensor.name} is of type {tensor.dtype.name}, which ONNX backends cannot take",
            kind="unsupported",
            node=split(tensor.name)[0],
            op=tensor.op.type,
        )
    return str(tensor.dtype.name)


def input_shape(name: str, tensor: Any, asked: Mapping[str, Any], known: list[int] | None) -> Shape:
    """`asked`: the user's word on this input; `known`: what running the preprocessing has shown; else the graph's own.

    An unknown first dim is the batch, `N`; another is `<input>_<axis>`.
    Raises Refused when not even the number of dims is known.
    """
    given = asked.get("shape")
    if given is not None:
        return [dim if isinstance(dim, int) and dim >= 0 else _free(name, axis, dim) for axis, dim in enumerate(given)]
    if known is not None:
        return list(known)
    if tensor.shape.rank is None:
        raise Refused(
            f"the graph does not say what shape its input {name} has",
            kind="unsupported",
            hint=f"say it: --input {name}:1,224,224,3 (the dims of yours)",
            node=split(tensor.name)[0],
            op=tensor.op.type,
        )
    return [_free(name, axis, None) if dim is None else dim for axis, dim in enumerate(tensor.shape.as_list())]


def settle(ports: Iterable[Port], dims: Mapping[str, int]) -> None:
    """Give free dims the size the user asked for. Raises Refused for one that is not there."""
    ports = list(ports)
    free = sorted({dim for port in ports for dim in port.shape if isinstance(dim, str)})
    for name in sorted(dims):
        if name not in free:
            known = f"its free dims are {', '.join(free)}" if free else "all its dims are fixed"
            raise Refused(f"the model has no free dim {name}: {known}", kind="unsupported")
    for port in ports:
        port.shape = [dims.get(dim, dim) if isinstance(dim, str) else dim for dim in port.shape]


def _free(name: str, axis: int, given: Any) -> str:
    return given if isinstance(given, str) and given else BATCH if axis == 0 else f"{name}_{axis}"


def option_for(asked: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """What the user said of a port, under any of its names."""
    spelled = {canonical(key): value for key, value in asked.items()}
    return next((spelled[canonical(name)] for name in names if canonical(name) in spelled), {})


def output_shape(name: str, probes: Mapping[int, list[int]], static: list[int | None] | None) -> Shape:
    """`probes`: batch size -> the shape that running the graph gave; without them, what TensorFlow infers."""
    if probes:
        sizes = sorted(probes)
        shape: Shape = []
        for axis, seen in enumerate(zip(*(probes[size] for size in sizes), strict=True)):
            if len(set(seen)) == 1:
                shape.append(seen[0])
            else:
                shape.append(BATCH if list(seen) == sizes else f"{name}_{axis}")
        return shape
    dims = static or []
    return [dim if dim is not None else (BATCH if axis == 0 else f"{name}_{axis}") for axis, dim in enumerate(dims)]
