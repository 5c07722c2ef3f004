"""The original in PyTorch itself: its answers, its layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from dlpipe_worker import Request
from torch.utils._python_dispatch import TorchDispatchMode

from ..kit import executing
from .opening import open_program
from .program import Program


def open_model(request: Request, contract: Mapping[str, Any], threads: int | None) -> executing.Model:
    """The inputs are those of the contract, with their free dims at 1."""
    if threads:
        torch.set_num_threads(threads)
    states = {name for name, _ in contract["metadata"]["states"]}
    given = {
        port["source"]: {"shape": port["shape"], "dtype": port["dtype"]}
        for port in contract["inputs"]
        if port["source"] not in states
    }
    dims = dict(request.params.get("dims") or {})
    dims |= {each["name"]: each["value"] for each in contract["metadata"]["arguments"] if "value" in each}
    params = {**request.params, "inputs": given, "dims": dims}
    return Original(open_program(request.inputs["source"], params, lambda _text: None))


class Original(executing.Model):
    """A program, fed with arrays."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tool = f"torch {torch.__version__}"

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        # What a program keeps is either among its states, which are fed, or the same after every run.
        found = self.program.run(self._tensors(feeds))
        return {name: each.numpy() for name, each in zip(self.program.outputs, found, strict=True)}

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        tensors, program = self._tensors(feeds), self.program
        found: dict[str, Any] = {}
        if program.kind == "module":
            _by_modules(program, tensors, found)
        elif program.kind == "exported":
            _by_nodes(program, tensors, found)
        else:
            trial = copy.deepcopy(program)
            with torch.jit.optimized_execution(False), _Operators(found):
                trial.run(tensors)
        return found

    def _tensors(self, feeds: Mapping[str, Any]) -> list[torch.Tensor]:
        """An input that the ONNX model has no use for has none: the example will do."""
        pairs = zip(self.program.input_names, self.program.examples(), strict=True)
        return [torch.from_numpy(feeds[name].copy()) if name in feeds else example for name, example in pairs]


def _keep(found: dict[str, Any], name: str, value: Any) -> None:
    if not isinstance(value, torch.Tensor):
        return
    number, key = 1, name
    while key in found:
        number, key = number + 1, f"{name}#{number + 1}"
    found[key] = value.detach().clone().numpy()


def _by_modules(program: Program, tensors: list[torch.Tensor], found: dict[str, Any]) -> None:
    handles = []
    for name, module in program.model.named_modules():
        if not any(module.children()):
            hook = _hook(name or type(module).__name__, found)
            handles.append(module.register_forward_hook(hook))
    try:
        program.run(tensors)
    finally:
        for handle in handles:
            handle.remove()


def _hook(name: str, found: dict[str, Any]) -> Any:
    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        values = output if isinstance(output, tuple | list) else (output,)
        for value in values[:1]:
            _keep(found, name, value)

    return hook


def _by_nodes(program: Program, tensors: list[torch.Tensor], found: dict[str, Any]) -> None:
    class Steps(torch.fx.Interpreter):  # type: ignore[misc]  # torch is Any to the host
        def run_node(self, n: Any) -> Any:
            value = super().run_node(n)
            if n.op == "call_function":
                stack = n.meta.get("nn_module_stack") or {}
                module = next((path for path, _ in reversed(list(stack.values())) if path), "")
                module = module.replace("L['self'].", "").removeprefix("L__self___")
                _keep(found, f"{module}/{n.name}" if module else n.name, value)
            return value

    args, kwargs = program.arguments.build(tensors)
    with torch.no_grad():
        Steps(program.model).run(*torch.utils._pytree.tree_leaves((args, kwargs)))  # noqa: SLF001 - pytree has no public name


class _Operators(TorchDispatchMode):  # type: ignore[misc]  # torch is Any to the host
    """Every operator of a TorchScript program: its modules cannot be hooked."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        value = func(*args, **(kwargs or {}))
        _keep(self.found, str(func).removeprefix("aten.").partition(".")[0], value)
        return value
