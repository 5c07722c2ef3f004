"""The functions of a CNTK model: blocks opened, what is passed through followed to where it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .dictionary import Axis, Shape

BLOCK, COMBINE, NO_OP = 57, 44, 62
_PARAMETER, _CONSTANT = 2, 3  # VariableKind
_MAX_FUNCTIONS = 200_000


@dataclass
class Variable:
    """`shape`: in CNTK's order. `dynamic`: names of its dynamic axes, the batch last."""

    uid: str
    name: str
    kind: int
    shape: tuple[int, ...]
    dynamic: tuple[str, ...]
    value: Any = None
    data_type: int = 1


@dataclass
class Function:
    """`inputs`: uids, as in the file. `block`: the name of the block's type, for a block."""

    uid: str
    op: int
    name: str
    inputs: list[str]
    attributes: dict[str, Any]
    block: str = ""
    root: str = ""
    arguments: dict[str, str] = field(default_factory=dict)  # the block's placeholder -> what it stands for


@dataclass
class Net:
    variables: dict[str, Variable]
    functions: dict[str, Function]
    root: str
    passed: dict[str, str] = field(default_factory=dict)  # value -> the value that it is
    shown: dict[str, str] = field(default_factory=dict)  # value -> the name that the outermost block gives it

    def resolve(self, uid: str) -> str:
        """The value itself, behind blocks, combinations and placeholders. Raises Refused where they go in circles."""
        seen = {uid}
        while (following := self.passed.get(uid)) is not None:
            uid = following
            if uid in seen:
                raise Refused(f"{uid} stands for itself")
            seen.add(uid)
        return uid

    def maker(self, uid: str) -> Function | None:
        """The function that computes a value, None for what is fed or held."""
        stem, separator, _ = uid.rpartition("_Output_")
        return self.functions.get(stem) if separator else None

    def outputs(self) -> list[tuple[str, str]]:
        """(value, what it is called) for each output of the root."""
        function = self.functions[self.root]
        if function.op == COMBINE:
            values = list(function.inputs)
        else:
            values = [f"{self.root}_Output_{index}" for index in range(self.count(function))]
        return [(self.resolve(each), self._called(each)) for each in values]

    def count(self, function: Function) -> int:
        """How many outputs a function has."""
        if function.op == COMBINE:
            return len(function.inputs)
        if function.op == BLOCK:
            return self.count(self.functions[function.root])
        return 2 if function.op == 87 else 1  # TopK: values and places

    def _called(self, uid: str) -> str:
        maker = self.maker(uid)
        if maker is not None and maker.name and self.count(maker) == 1:
            return maker.name
        variable = self.variables.get(uid)
        return variable.name or uid if variable is not None else uid


def build(model: dict[str, Any]) -> Net:
    """Raises Refused where the dictionary is no model that is whole."""
    if model.get("type") != "CompositeFunction":
        raise Refused(f"the dictionary is a {model.get('type')!r}, not a model")
    listed, held = model.get("primitive_functions"), model.get("inputs")
    if not isinstance(listed, list) or not isinstance(held, list) or len(listed) > _MAX_FUNCTIONS:
        raise Refused("the model lacks its functions or its inputs")
    variables = {each.uid: each for each in map(_variable, held)}
    functions = {each.uid: each for each in map(_function, listed)}
    root = model.get("root")
    if root not in functions:
        raise Refused("the model has a root that is not among its functions")
    net = Net(variables, functions, root)
    for function in functions.values():
        _pass_through(net, function)
    blocks = [uid for uid in net.passed if (maker := net.maker(uid)) is not None and maker.op == BLOCK]
    within = {_behind_combinations(net, net.passed[uid]) for uid in blocks}
    for uid in blocks:
        if uid not in within:
            net.shown.setdefault(net.resolve(uid), uid)
    return net


def _behind_combinations(net: Net, uid: str) -> str:
    net.resolve(uid)  # refuses circles
    while (maker := net.maker(uid)) is not None and maker.op == COMBINE:
        uid = net.passed[uid]
    return uid


def _pass_through(net: Net, function: Function) -> None:
    if function.op == COMBINE:
        for index, each in enumerate(function.inputs):
            net.passed[f"{function.uid}_Output_{index}"] = each
    elif function.op == BLOCK:
        if function.root not in net.functions:
            raise Refused(f"the block {function.uid} has a root that is not among the functions", node=function.uid)
        inner = net.functions[function.root]
        if inner is function:
            raise Refused(f"the block {function.uid} holds itself")
        for index in range(_outputs_of(net, inner, 0)):
            net.passed[f"{function.uid}_Output_{index}"] = f"{inner.uid}_Output_{index}"
        net.passed.update({key: value for key, value in function.arguments.items() if key != value})


def _outputs_of(net: Net, function: Function, depth: int) -> int:
    if depth > 100:
        raise Refused("blocks within blocks without end")
    if function.op == BLOCK:
        if function.root not in net.functions:
            raise Refused(f"the block {function.uid} has a root that is not among the functions", node=function.uid)
        return _outputs_of(net, net.functions[function.root], depth + 1)
    return net.count(function)


def _variable(held: Any) -> Variable:
    if not isinstance(held, dict) or not isinstance(held.get("uid"), str) or not isinstance(held.get("shape"), Shape):
        raise Refused("the model holds a variable without a name or a shape")
    axes = held.get("dynamic_axis") or []
    if not isinstance(axes, list) or not all(isinstance(each, Axis) for each in axes):
        raise Refused(f"the variable {held['uid']} has dynamic axes that are none")
    kind = held.get("kind")
    if not isinstance(kind, int) or kind not in range(5):
        raise Refused(f"the variable {held['uid']} is of the kind {kind}")
    value = held.get("value")
    if value is not None and not isinstance(value, np.ndarray):
        raise Refused(f"the weights {held['uid']} are a {type(value).__name__}", node=held["uid"])
    if kind in (_PARAMETER, _CONSTANT) and value is None:
        raise Refused(f"the weights {held['uid']} have no values", node=held["uid"])
    return Variable(
        held["uid"],
        held.get("name") or "",
        kind,
        held["shape"].dims,
        tuple(each.name for each in axes),
        value,
        held.get("data_type") or 1,
    )


def _function(held: Any) -> Function:
    if not isinstance(held, dict) or not isinstance(held.get("uid"), str):
        raise Refused("the model holds a function without a name")
    if held.get("type") != "PrimitiveFunction":
        raise Refused(
            f"the function {held['uid']} is a {held.get('type')}: code of the user's own, which is not in the file",
            "unsupported",
            node=held["uid"],
        )
    inputs, attributes, op = held.get("inputs"), held.get("attributes"), held.get("op")
    if not isinstance(inputs, list) or not isinstance(attributes, dict) or not isinstance(op, int):
        raise Refused(f"the function {held['uid']} lacks its inputs, its attributes or its type")
    if not all(isinstance(each, str) for each in inputs):
        raise Refused(f"the function {held['uid']} has inputs without names")
    function = Function(held["uid"], op, held.get("name") or "", inputs, attributes)
    if op == BLOCK:
        composite = held.get("block_function_composite")
        keys = held.get("block_function_composite_arguments_map_keys") or []
        values = held.get("block_function_composite_arguments_map_values") or []
        if not isinstance(composite, dict) or len(keys) != len(values):
            raise Refused(f"the block {function.uid} lacks what is in it", node=function.uid)
        function.block = str(held.get("block_function_op_name") or "")
        function.root = str(composite.get("root"))
        function.arguments = {str(key): str(value) for key, value in zip(keys, values, strict=True)}
    return function
