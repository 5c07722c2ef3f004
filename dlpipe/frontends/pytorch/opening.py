"""From a file to a `Program`, ready to run in eval mode."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from dlpipe_worker import Refused
from torch.utils import _pytree as pytree

from ..kit import usercode
from . import checkpoint, guard, probing, states
from .arguments import Arguments, Given, Leaf, from_example, make, positional, reshape, torch_dtype
from .program import Program

Note = Callable[..., None]  # request.note
_HOW = "e.g. --input x:1x3x224x224"


def open_program(folder: str, params: Mapping[str, Any], note: Note) -> Program:
    """params: entry, format, inputs (shapes settled by hand or by a contract), dims, unsafe_load, factory.

    Raises Refused for a file that is damaged, unsafe, or whose inputs cannot be found out.
    """
    torch.manual_seed(0)
    path, form = Path(folder, params["entry"]), params["format"]
    given, dims = params.get("inputs") or {}, params.get("dims") or {}
    if form == "pytorch/pt2":
        return _open_exported(path, given, dims)
    if form == "pytorch/torchscript":
        return _open_script(path, given, dims, note)
    return _open_module(path, folder, params, given, note)


def _open_exported(path: Path, given: Given, dims: Mapping[str, int]) -> Program:
    guard.check(path)
    try:
        with guard.no_pickles():
            exported = torch.export.load(path)
    except Refused:
        raise
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise Refused(
            f"{path.name} cannot be read as an ExportedProgram: {type(error).__name__}: {text[:200]}",
            hint="is the download complete? A file of a newer PyTorch must be exported again with an older one",
        ) from error
    model = exported.module()
    program = Program(model, _recorded(exported, given, dims), "exported")
    program.exported = exported
    return program


def _recorded(exported: Any, given: Given, dims: Mapping[str, int]) -> Arguments:
    """The arguments as the program records them; free dims where the user settled nothing."""
    signature = exported.graph_signature
    holders = {node.name: node for node in exported.graph.nodes if node.op == "placeholder"}
    flat = pytree.tree_leaves(exported.example_inputs) if exported.example_inputs else None
    leaves = []
    for index, each in enumerate(spec for spec in signature.input_specs if spec.kind.name == "USER_INPUT"):
        name = each.arg.name
        value = holders[name].meta.get("val") if name in holders else getattr(each.arg, "value", None)
        if isinstance(value, torch.SymInt | torch.SymFloat):
            raise Refused(f"the program takes the number {name!r} as an input", kind="unsupported")
        if not isinstance(value, torch.Tensor):
            leaves.append(Leaf(name, getattr(each.arg, "value", value)))
            continue
        free = {axis: str(size) for axis, size in enumerate(value.shape) if not isinstance(size, int)}
        example = flat[index] if flat is not None and index < len(flat) else None
        if not isinstance(example, torch.Tensor):
            example = make([int(size) for size in value.shape], value.dtype)
        shape = [dims.get(free.get(axis, ""), size) for axis, size in enumerate(example.shape)]
        if shape != list(example.shape):
            example = make(shape, example.dtype)
            free = {axis: name for axis, name in free.items() if name not in dims}
        leaves.append(Leaf(name, example.detach(), free))
    arguments = Arguments(exported.call_spec.in_spec, leaves)
    reshape(arguments, given)
    return arguments


def _open_script(path: Path, given: Given, dims: Mapping[str, int], note: Note) -> Program:
    try:
        model = torch.jit.load(path, map_location="cpu")
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise Refused(
            f"{path.name} cannot be read as TorchScript: {text[:200]}", hint="is the copy complete?"
        ) from error
    model.eval()
    if not hasattr(model, "forward"):
        raise Refused(f"{path.name} has no forward method", kind="unsupported")
    weights = model.state_dict() or states.constants(model)
    leaves, asked = [], []
    arguments = model.forward.schema.arguments[1:]
    _check_names(given, [argument.name for argument in arguments])
    for argument in arguments:
        kind = str(argument.type)
        if kind in ("Tensor", "Optional[Tensor]") and (kind == "Tensor" or argument.name in given):
            leaves.append(Leaf(argument.name, _given(given, argument.name)))
            asked += [argument.name] if leaves[-1].value is None else []
        elif argument.name in dims and kind in ("int", "float", "number"):
            leaves.append(Leaf(argument.name, dims[argument.name]))
        elif argument.has_default_value():
            leaves.append(Leaf(argument.name, argument.default_value))
        else:
            hint = f"give a number by its name: --shape {argument.name}=1" if kind in ("int", "float") else None
            raise Refused(f"forward takes {argument.name!r}, a {kind}", kind="unsupported", hint=hint)
    pairs = states.written(model)
    _settle(model, leaves, asked, weights, note, path)
    called = positional(leaves)
    found: list[states.State] = []
    if pairs:
        Program(model, called, "script").run([leaf.value for leaf in called.inputs])
        found = list(states.tensors(pairs))
        kept = ", ".join(state.attribute for state in found)
        note(f"the program keeps {kept} from call to call: inputs and outputs of the imported model") if found else None
    return Program(model, called, "script", found)


def _open_module(path: Path, folder: str, params: Mapping[str, Any], given: Given, note: Note) -> Program:
    factory, unsafe = params.get("factory"), bool(params.get("unsafe_load"))
    code = path.suffix == ".py"  # the factory itself sees to the weights
    value = None if code else checkpoint.read(path, unsafe, folder, factory)
    model, example = checkpoint.find_module(value), None
    if isinstance(model, torch.jit.ScriptModule):
        raise Refused(f"{path.name} is TorchScript within a pickle", kind="unsupported")
    if model is None:
        if factory is None:
            raise Refused(
                f"{path.name} holds weights and no network: {checkpoint.describe(value)}"
                if not code
                else f"{path.name} is code: which function builds the network?",
                kind="unsupported",
                hint="name the Python function that builds the network: --factory FILE.py:FUNCTION",
            )
        model, example = _build(folder, factory)
        if value is not None:
            checkpoint.fill(model, value, path)
    model.eval().requires_grad_(False)
    names, needed = _signature(model)
    if example is not None:
        arguments = from_example(example, names)
        reshape(arguments, given)
    else:
        wanted = [name for name in names if name in needed or name in given] or names[:1]
        _check_names(given, names)
        leaves = [Leaf(name, _given(given, name)) for name in wanted]
        asked = [leaf.name for leaf in leaves if leaf.value is None]
        _settle(model, leaves, asked, model.state_dict(), note, path)
        skipped = names[: names.index(wanted[-1])] if wanted else []
        by_name = any(name not in wanted for name in skipped)
        arguments = _by_name(leaves) if by_name else positional(leaves)
    return Program(model, arguments, "module")


def _by_name(leaves: list[Leaf]) -> Arguments:
    spec = pytree.tree_structure(((), {leaf.name: 0 for leaf in leaves}))
    order = {name: index for index, name in enumerate(leaf.name for leaf in leaves)}
    return Arguments(spec, sorted(leaves, key=lambda leaf: order[leaf.name]))


def _build(folder: str, factory: str) -> tuple[torch.nn.Module, Any]:
    function = usercode.load(folder, factory)
    made = usercode.call(function, folder, factory)
    model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, torch.nn.Module):
        raise Refused(
            f"{factory} returns a {type(model).__name__}, no torch.nn.Module",
            kind="unsupported",
            hint="it must return the network, or (network, example inputs)",
        )
    return model, example


def _signature(model: torch.nn.Module) -> tuple[list[str], set[str]]:
    """(names of forward's arguments, those that must be given)."""
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = [each for each in inspect.signature(model.forward).parameters.values() if each.kind in plain]
    if not arguments:
        return ["input"], {"input"}
    needed = {each.name for each in arguments if each.default is inspect.Parameter.empty}
    return [each.name for each in arguments], needed


def _check_names(given: Given, names: list[str]) -> None:
    if unknown := sorted(set(given) - set(names)):
        hint = f"the inputs are {', '.join(names)}"
        raise Refused(f"there is no input {unknown[0]!r}", kind="unsupported", hint=hint)


def _given(given: Given, name: str) -> torch.Tensor | None:
    port = given.get(name)
    if port is None:
        return None
    shape = [size if isinstance(size, int) else 1 for size in port["shape"]]
    return make(shape, torch_dtype(port.get("dtype") or "float32"))


def _settle(
    model: Any, leaves: list[Leaf], asked: list[str], weights: Mapping[str, torch.Tensor], note: Note, path: Path
) -> None:
    """Find a shape for the one input that has none. Raises Refused where that cannot be."""
    if not asked:
        return
    if len(asked) > 1:
        raise Refused(
            f"{path.name} does not record the shapes of its inputs {', '.join(asked)}",
            kind="unsupported",
            hint="give each of them: " + " ".join(f"--input {name}:1x..." for name in asked),
        )
    leaf = next(leaf for leaf in leaves if leaf.name == asked[0])
    arguments = positional(leaves)
    errors: list[str] = []

    def works(example: torch.Tensor) -> bool:
        leaf.value = example
        trial = copy.deepcopy(model) if isinstance(model, torch.jit.ScriptModule) else model  # a run may leave a state
        try:
            Program(trial, arguments, "trial").run([each.value for each in arguments.inputs])
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - a network raises whatever does not fit
            errors.append((str(error).strip().splitlines() or [type(error).__name__])[-1])
            return False
        return True

    found, shapes = probing.probe(weights, works)
    if found is None:
        said = f" (tried {len(errors)}; the last said: {errors[-1][:160]})" if errors else ""
        raise Refused(
            f"{path.name} does not record the shape of its input {leaf.name!r}, and none could be found{said}",
            kind="unsupported",
            hint=f"give it: {_HOW.replace('x:', leaf.name + ':')}",
        )
    leaf.value = found
    shape = "x".join(map(str, found.shape))
    if len(shapes) > 1:
        note(
            f"the file does not record the size of its input {leaf.name!r} and takes several: {shape} it is; "
            f"another: --input {leaf.name}:{'x'.join(map(str, shapes[1]))}",
            level="warning",
        )
    else:
        note(f"the file does not record the shape of its input {leaf.name!r}: found to be {shape}")
