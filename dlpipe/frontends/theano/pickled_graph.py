"""A pickled Theano graph, as records: its variables, the nodes that make them, and what constants hold.

What is taken: `(inputs, outputs)` or `outputs`, each a variable or a list; and a compiled function, whose maker keeps
the graph as it was before Theano optimised it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .unpickling import Record

DTYPES = frozenset(
    {"float16", "float32", "float64", "bool"} | {f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)}
)
_VARIABLES = ("Variable", "Constant")


@dataclass
class Ends:
    inputs: list[Record]
    outputs: list[Record]


def find(value: Any) -> Ends:
    """Raises Refused for what is no graph."""
    function = _function(value)
    if function is not None:
        return function
    if isinstance(value, list | tuple) and len(value) == 2:
        inputs, outputs = (list(each) if isinstance(each, list | tuple) else [each] for each in value)
        if all(map(_is_variable, [*inputs, *outputs])) and outputs:
            return Ends(inputs, outputs)
    outputs = list(value) if isinstance(value, list | tuple) else [value]
    if outputs and all(map(_is_variable, outputs)):
        return Ends([each for each in ancestors(outputs) if is_fed(each)], outputs)
    raise Refused("the pickle holds no Theano graph", hint="pickle.dump(([x], [y]), file) with x, y Theano variables")


def _function(value: Any) -> Ends | None:
    if not isinstance(value, Record):
        return None
    maker = next(
        (each for each in _parts(value) if isinstance(each, Record) and each.kind.endswith("FunctionMaker")), None
    )
    if maker is None:
        return None
    kept = next(
        (each for each in (maker.state, maker.named, *maker.arguments) if isinstance(each, dict) and "outputs" in each),
        None,
    )
    if kept is None:
        raise Refused("the pickled function does not hold its graph", kind="unsupported")
    outputs = kept["outputs"] if isinstance(kept["outputs"], list | tuple) else [kept["outputs"]]
    given = [each["variable"] for each in kept["inputs"] if isinstance(each, Record)]
    return Ends([each for each in given if is_fed(each)], [each["variable"] for each in outputs])


def _parts(value: Record) -> list[Any]:
    found: list[Any] = [value, *value.arguments, *value.named.values()]
    found += list(value.state.values()) if isinstance(value.state, dict) else [value.state]
    return found


def _is_variable(value: Any) -> bool:
    return isinstance(value, Record) and value.kind.split()[-1].endswith(_VARIABLES)


def class_of(record: Record) -> str:
    return record.kind.split()[-1]


def owner_of(variable: Record) -> Record | None:
    owner = variable.get("owner")
    return owner if isinstance(owner, Record) else None


def is_fed(variable: Record) -> bool:
    return owner_of(variable) is None and held_by(variable) is None


def held_by(variable: Record) -> Any:
    """What a constant or a shared variable holds; None for any other."""
    if "Constant" in class_of(variable):
        return variable.get("data")
    if "Shared" in class_of(variable):
        container = variable.get("container")
        storage = container.get("storage") if isinstance(container, Record) else None
        if isinstance(storage, list) and len(storage) == 1:
            return storage[0]
        raise Refused(f"the shared variable {variable.get('name')} holds nothing", node=str(variable.get("name")))
    return None


def dtype_of(variable: Record) -> str:
    """Raises Refused for what is no tensor of numbers."""
    kind = variable.get("type")
    dtype = kind.get("dtype") if isinstance(kind, Record) else None
    if dtype not in DTYPES:
        raise Refused(f"the variable {variable.get('name')} is no tensor of numbers", kind="unsupported")
    return str(dtype)


def ones_of(variable: Record) -> list[bool]:
    """For each axis, whether its size is 1."""
    kind = variable.get("type")
    found = kind.get("broadcastable", ()) if isinstance(kind, Record) else ()
    return [bool(each) for each in found]


def array_of(variable: Record) -> Any:
    """The content of a constant or shared variable as an array of the variable's type, or None."""
    held = held_by(variable)
    if held is None:
        return None
    found = np.asarray(held)
    if found.dtype.kind not in "fiub":
        raise Refused(f"a constant of the graph is no tensor of numbers: {str(held)[:60]}", kind="unsupported")
    return found.astype(dtype_of(variable))


def ancestors(outputs: list[Record]) -> list[Record]:
    """All variables that the outputs need, each behind those that it needs. Raises Refused for a circle."""
    done: dict[int, Record] = {}
    open_: set[int] = set()
    waiting: list[tuple[Record, bool]] = [(each, False) for each in reversed(outputs)]
    while waiting:
        variable, ready = waiting.pop()
        if id(variable) in done:
            continue
        owner = owner_of(variable)
        if ready or owner is None:
            done[id(variable)] = variable
            continue
        if id(variable) in open_:
            raise Refused("the graph is cyclic: a variable depends on itself")
        open_.add(id(variable))
        waiting.append((variable, True))
        waiting += [(each, False) for each in reversed(owner.get("inputs", [])) if isinstance(each, Record)]
    return list(done.values())
