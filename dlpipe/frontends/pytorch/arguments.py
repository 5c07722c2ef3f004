"""What a network is called with: a tree of leaves, tensors among them, which are the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from dlpipe_worker import Refused
from torch.utils import _pytree as pytree

Given = Mapping[str, Mapping[str, Any]]  # name -> {"shape", "dtype"}: what the user says, or a contract


@dataclass
class Leaf:
    """`value`: an example where it is a tensor (an input), else the constant that is always passed."""

    name: str
    value: Any
    free: dict[int, str] = field(default_factory=dict)  # axis -> name of its free dim

    @property
    def is_input(self) -> bool:
        return isinstance(self.value, torch.Tensor)


@dataclass
class Arguments:
    """`spec` builds (args, kwargs) from the values of the leaves."""

    spec: Any
    leaves: list[Leaf]

    @property
    def inputs(self) -> list[Leaf]:
        return [leaf for leaf in self.leaves if leaf.is_input]

    def build(self, tensors: Sequence[torch.Tensor]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """(args, kwargs) with these for the inputs."""
        feed = iter(tensors)
        values = [next(feed) if leaf.is_input else leaf.value for leaf in self.leaves]
        args, kwargs = pytree.tree_unflatten(values, self.spec)
        return args, kwargs


def positional(leaves: Sequence[Leaf]) -> Arguments:
    """One leaf an argument."""
    return Arguments(pytree.tree_structure((tuple(0 for _ in leaves), {})), list(leaves))


def from_example(example: Any, names: Sequence[str]) -> Arguments:
    """From what a factory returns beside its module: a tensor, a tuple of arguments, or a dict of keyword arguments."""
    if isinstance(example, Mapping):
        tree: Any = ((), dict(example))
    else:
        tree = (tuple(example) if isinstance(example, list | tuple) else (example,), {})
    pairs, spec = pytree.tree_flatten_with_path(tree)
    if not any(isinstance(value, torch.Tensor) for _, value in pairs):
        raise Refused("the example that the factory returns holds no tensor", kind="unsupported")
    return Arguments(spec, [Leaf(_leaf_name(path, names), value) for path, value in pairs])


def _leaf_name(path: Sequence[Any], names: Sequence[str]) -> str:
    """`x`, or `x_0_mask` for a tensor within an argument. path: (0, position, ...) or (1, keyword, ...)."""
    keys: list[Any] = [getattr(key, "key", getattr(key, "idx", None)) for key in path]
    if keys[0] == 0 and keys[1] < len(names):
        keys[1] = names[keys[1]]
    return "_".join(str(key) for key in keys[1:])


def reshape(arguments: Arguments, given: Given) -> None:
    """Give inputs the shapes and dtypes that were settled by hand. Raises Refused for a name that there is not."""
    inputs = {leaf.name: leaf for leaf in arguments.inputs}
    if unknown := sorted(set(given) - set(inputs)):
        raise Refused(
            f"there is no input {unknown[0]!r}", kind="unsupported", hint=f"the inputs are {', '.join(inputs)}"
        )
    for name, port in given.items():
        leaf = inputs[name]
        shape = tuple(size if isinstance(size, int) else 1 for size in port["shape"])
        dtype = torch_dtype(port["dtype"]) if port.get("dtype") else leaf.value.dtype
        if tuple(leaf.value.shape) != shape or leaf.value.dtype != dtype:
            leaf.value = make(shape, dtype)
            leaf.free = {}


def make(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """An example: noise for floats, zeros and ones for others, the same every time."""
    generator = torch.Generator().manual_seed(7)
    if dtype.is_floating_point:
        return torch.randn(tuple(shape), generator=generator).to(dtype)
    return torch.randint(0, 2, tuple(shape), generator=generator).to(dtype)


def torch_dtype(name: str) -> torch.dtype:
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise Refused(f"{name} is no type of PyTorch", kind="unsupported", hint="e.g. float32, int64")
    return found
