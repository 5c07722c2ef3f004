"""The original as a function from arrays to arrays: an exported function, or what the user's Python code builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from dlpipe_worker import Refused

from ..kit import usercode

Given = Mapping[str, Mapping[str, Any]]


@dataclass
class Program:
    """`call` takes a list of arrays, one for each of `inputs` (name, shape, dtype), and gives a list of arrays.
    `free`: whether the first dim of all inputs may be any number."""

    call: Callable[..., Sequence[Any]]
    inputs: list[tuple[str, tuple[int, ...], np.dtype[Any]]]
    outputs: list[str]
    free: bool = False

    def structs(self) -> list[Any]:
        return [jax.ShapeDtypeStruct(shape, dtype) for _, shape, dtype in self.inputs]


def open_program(folder: str, params: Mapping[str, Any]) -> Program:
    """params: entry, format, inputs, dims, factory. Raises Refused."""
    path = Path(folder, params["entry"])
    given, dims = params.get("inputs") or {}, params.get("dims") or {}
    if params["format"] == "jax/export":
        program = _exported(path, given, dims)
    else:
        program = _from_code(path, folder, params.get("factory"), given)
    return _chosen(program, params.get("outputs") or program.outputs)


def _chosen(program: Program, outputs: Sequence[str]) -> Program:
    if unknown := [name for name in outputs if name not in program.outputs]:
        hint = f"the outputs are {', '.join(program.outputs)}"
        raise Refused(f"there is no output {unknown[0]!r}", kind="unsupported", hint=hint)
    places, whole = [program.outputs.index(name) for name in outputs], program.call

    def call(*arrays: Any) -> list[Any]:
        found = whole(*arrays)
        return [found[place] for place in places]

    return replace(program, call=call, outputs=list(outputs))


def _exported(path: Path, given: Given, dims: Mapping[str, int]) -> Program:
    from jax import export

    try:
        exported = export.deserialize(bytearray(path.read_bytes()))
        avals = list(exported.in_avals)
        tree = exported.in_tree
        names = _names(tree, exported)
    except Exception as error:
        raise Refused(
            f"{path.name} cannot be read as an exported JAX function: {type(error).__name__}",
            hint="is the copy complete? A file of a newer JAX must be exported again with an older one",
        ) from error
    inputs = []
    for name, aval in zip(names, avals, strict=True):
        shape = tuple(size if isinstance(size, int) else dims.get(str(size), 1) for size in aval.shape)
        inputs.append((name, *_settled(name, shape, np.dtype(aval.dtype), given)))
    _check_names(given, names)
    ignore = [export.DisabledSafetyCheck.platform()]
    allowed = export.deserialize(bytearray(path.read_bytes()))
    object.__setattr__(allowed, "disabled_safety_checks", (*allowed.disabled_safety_checks, *ignore))

    def call(*arrays: Any) -> list[Any]:
        args, kwargs = jax.tree_util.tree_unflatten(tree, list(arrays))
        return list(jax.tree_util.tree_leaves(allowed.call(*args, **kwargs)))

    outputs = _output_names(exported.out_tree)
    return Program(call, inputs, outputs)


def _names(tree: Any, exported: Any) -> list[str]:
    """Of the arguments: keywords and keys where there are some, else what the user's function called them."""
    paths = [
        path
        for path, _ in jax.tree_util.tree_flatten_with_path(
            jax.tree_util.tree_unflatten(tree, list(range(tree.num_leaves)))
        )[0]
    ]
    said = _said(exported) if exported is not None else []
    names: list[str] = []
    for index, path in enumerate(paths):
        keys = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path[1:]]
        plain = str(getattr(path[0], "idx", "0")) == "0" and len(keys) == 1
        name = said[index] if index < len(said) and said[index] else ("x" + keys[0] if plain else "_".join(keys))
        name = f"x{name}" if name[:1].isdigit() else name
        names.append(name if name not in names else f"{name}_{index}")
    return names


def _said(exported: Any) -> list[str]:
    """Names of arguments that the program's debug information holds."""
    import re

    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir

    with mlir.make_ir_context():
        module = ir.Module.parse(exported.mlir_module())
        functions = {str(each.attributes["sym_name"]).strip('"'): each for each in module.body.operations}
        # The main function of a polymorphic program wraps another, which takes the sizes first.
        main = functions.get("_wrapped_jax_export_main", functions["main"])
        places = [str(each.location) for each in main.regions[0].blocks[0].arguments]
        found = [re.match(r'loc\("([A-Za-z_]\w*)"', place) for place in places]
        return [match[1] if match else "" for match in found][-len(exported.in_avals) or len(found) :]


def _settled(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], given: Given
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    port = given.get(name)
    if port is None:
        return shape, dtype
    chosen = tuple(size if isinstance(size, int) else 1 for size in port["shape"])
    return chosen, np.dtype(port.get("dtype") or dtype)


def _check_names(given: Given, names: Sequence[str]) -> None:
    if unknown := sorted(set(given) - set(names)):
        raise Refused(
            f"there is no input {unknown[0]!r}", kind="unsupported", hint=f"the inputs are {', '.join(names)}"
        )


def _output_names(tree: Any) -> list[str]:
    if tree.num_leaves == 1 and str(tree) == "PyTreeDef(*)":
        return ["output"]
    numbered = jax.tree_util.tree_unflatten(tree, list(range(tree.num_leaves)))
    names: list[str] = []
    for path, index in jax.tree_util.tree_flatten_with_path(numbered)[0]:
        name = "_".join(str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path)
        name = f"output_{name}" if name[:1].isdigit() else name or "output"
        names.append(name if name not in names else f"{name}_{index}")
    return names


def _from_code(path: Path, folder: str, factory: str | None, given: Given) -> Program:
    import inspect

    if factory is None:
        raise Refused(
            f"{path.name} is code: which function is the model?",
            kind="unsupported",
            hint=f"name it: --factory {path.stem}:FUNCTION",
        )
    function = usercode.load(folder, factory)
    needed = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.default is inspect.Parameter.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if needed:  # it is the model itself
        model, example = function, None
    else:
        made = usercode.call(function, folder, factory)
        model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not callable(model):
        raise Refused(
            f"{factory} returns a {type(model).__name__}, which cannot be called",
            kind="unsupported",
            hint="it must return the function of the model, or (function, example inputs)",
        )
    if hasattr(model, "eval") and callable(model.eval):  # flax.nnx: dropout off, running averages used
        model.eval()
    names = _arguments(model)
    if example is None:
        chosen = {name: given[name] for name in names if name in given}
        if not chosen or len(chosen) < len([name for name in names if name in {each.name for each in needed}] or [0]):
            raise Refused(
                f"{factory} does not tell the shapes of its inputs {', '.join(names)}",
                kind="unsupported",
                hint="give each: " + " ".join(f"--input {name}:1x...:float32" for name in names),
            )
        example = tuple(_struct(port) for port in chosen.values())
        names = list(chosen)
    elif not isinstance(example, tuple | list):
        example = (example,)
    _check_names(given, names)
    leaves, tree = jax.tree_util.tree_flatten((tuple(example), {}))
    if len(leaves) != len(example):
        names = _names(tree, None)
    pairs = list(zip(names, leaves, strict=False))
    inputs = [(name, *_settled(name, tuple(leaf.shape), np.dtype(leaf.dtype), given)) for name, leaf in pairs]

    def call(*arrays: Any) -> list[Any]:
        args, kwargs = jax.tree_util.tree_unflatten(tree, list(arrays))
        return list(jax.tree_util.tree_leaves(model(*args, **kwargs)))

    structs = [jax.ShapeDtypeStruct(shape, dtype) for _, shape, dtype in inputs]
    try:
        shaped = jax.eval_shape(lambda *arrays: model(*jax.tree_util.tree_unflatten(tree, list(arrays))[0]), *structs)
    except Exception as error:
        raise usercode.failed(f"running {factory}", folder, error) from error
    return Program(call, inputs, _output_names(jax.tree_util.tree_structure(shaped)), free=True)


def _arguments(model: Any) -> list[str]:
    import inspect

    try:
        found = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):
        return ["x"]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in found if each.kind in kinds] or ["x"]


def _struct(port: Mapping[str, Any]) -> Any:
    shape = tuple(size if isinstance(size, int) else 1 for size in port["shape"])
    return jax.ShapeDtypeStruct(shape, np.dtype(port.get("dtype") or "float32"))
