"""What every pass is, and the checks that hold it to its word.

The shape of it (a pass says what it requires and ensures, and whether it changed anything) is that of onnx_ir's
passes; here the claim is checked against the bytes.
"""

import abc
import copy
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from . import files, inference


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass is given beside the model."""

    params: Mapping[str, Any]
    inputs: Mapping[str, Path]
    note: Callable[..., None]
    progress: Callable[..., None]


@dataclass(slots=True)
class Rewritten:
    """`changes`: one line per change; none exactly when the model is as it was. `details` go into the pass's value."""

    model: ir.Model
    changes: list[str]
    details: dict[str, Any] = field(default_factory=dict)


class GraphPass(abc.ABC):
    """One optimisation. Its docstring shows the graph before and after, and says what it requires and ensures."""

    def requires(self, model: ir.Model) -> None:  # noqa: B027 - most passes require nothing
        """Raise Refused for a model that this pass cannot work on."""

    @abc.abstractmethod
    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        """May change `model` in place. Inputs and outputs keep names, types and shapes."""

    def ensures(self, model: ir.Model) -> None:  # noqa: B027 - of some, the checks of `apply` say all there is
        """Raise AssertionError unless the result is what the docstring says."""


def apply(chosen: GraphPass, work: Work, out: Path) -> dict[str, Any]:
    """Run one pass on the IR folder `work.inputs["ir"]`, check its claims, and write the IR folder `out`."""
    source = work.inputs["ir"]
    model = files.load(source)
    before, interface, nodes = files.structure(model), _interface(model), count_nodes(model)
    domains = {"", *(node.domain for node in model.graph.all_nodes())}
    inference.infer(model)
    chosen.requires(model)
    result = chosen.rewrite(model, work)
    changed = files.structure(result.model) != before
    if changed != bool(result.changes):
        claim = result.changes[:3] or "no change"
        raise RuntimeError(f"the pass claims {claim}, and the model has {'' if changed else 'not '}changed")
    if changed:
        # ncnn and TVM read the result: they know standard operators only.
        added = {node.domain for node in result.model.graph.all_nodes()} - domains
        if added - {function.domain for function in result.model.functions.values()}:
            raise RuntimeError(f"the pass added operators of the domains {sorted(added)}")
        _infer_shapes(result.model)
        _restore_interface(result.model, interface)
        chosen.ensures(result.model)
        files.save(result.model, out)
        # The path, not the bytes: a model of more than 2 GiB can only be checked in its files.
        onnx.checker.check_model(str(out / files.MODEL), full_check=True)
    else:
        for path in sorted(source.glob(files.MODEL + "*")):
            shutil.copyfile(path, out / path.name)
    files.carry_over(source, out)
    return {
        "modified": changed,
        "nodes_before": nodes,
        "nodes_after": count_nodes(result.model) if changed else nodes,
        "changes": result.changes,
        **result.details,
    }


def count_nodes(model: ir.Model) -> int:
    """Nodes of the main graph and of all graphs nested in it."""
    return sum(1 for _ in model.graph.all_nodes())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a model was before passes of a library worked on it, which do not say what they did."""

    structure: str
    operators: Counter[str]
    weights: frozenset[str]

    @classmethod
    def of(cls, model: ir.Model) -> "Snapshot":
        operators = Counter(str(node.op_type) for node in model.graph.all_nodes())
        return cls(files.structure(model), operators, frozenset(map(str, model.graph.initializers)))

    def changes_to(self, model: ir.Model) -> list[str]:
        """Operators that became more or fewer, weights that went; none exactly when the model is the same."""
        now = Snapshot.of(model)
        if now.structure == self.structure:
            return []
        names = sorted(set(self.operators) | set(now.operators))
        counts = [(name, self.operators[name], now.operators[name]) for name in names]
        found = [f"{name}: {old} -> {new}" for name, old, new in counts if old != new]
        found += [f"{name}: this weight is gone" for name in sorted(self.weights - now.weights)]
        return found or ["attributes and the values of constants"]


def opset(model: ir.Model) -> int:
    return int(model.graph.opset_imports.get("", 0))


def constant(value: ir.Value | None) -> Any:
    """The array of a stored weight; None for anything else, and for what the user may feed."""
    if value is None or value.const_value is None or value.is_graph_input() or not value.is_initializer():
        return None
    return value.const_value.numpy()


def add_constant(graph: Any, array: Any, name: str) -> ir.Value:
    """A new weight under that name, or the next free one: the same for the same graph."""
    free, number = name, 2
    while free in graph.initializers:
        free, number = f"{name}_{number}", number + 1
    tensor = ir.tensor(array, name=free)
    value = ir.Value(name=free, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


def bypass(node: ir.Node, replacement: ir.Value) -> None:
    """Take out `node`: whoever read its only output reads `replacement`, which takes over an output's name."""
    graph, old = node.graph, node.outputs[0]
    was_output, name = old.is_graph_output(), old.name
    old.replace_all_uses_with(replacement, replace_graph_outputs=True)
    assert graph is not None
    graph.remove(node, safe=True)
    if was_output:
        replacement.name = name


def _interface(model: ir.Model) -> list[list[tuple[Any, Any, Any]]]:
    return [[(v.name, copy.copy(v.type), v.shape) for v in side] for side in (model.graph.inputs, model.graph.outputs)]


def _restore_interface(model: ir.Model, interface: list[list[tuple[Any, Any, Any]]]) -> None:
    """Shapes as the contract says them: a library may have sharpened or dropped them. Names and types must hold."""
    for values, ports in zip((model.graph.inputs, model.graph.outputs), interface, strict=True):
        names = [value.name for value in values]
        if names != [name for name, _, _ in ports]:
            raise RuntimeError(f"the pass changed the inputs or outputs to {names}")
        for value, (name, kind, shape) in zip(values, ports, strict=True):
            if value.type is not None and value.type != kind:
                raise RuntimeError(f"the pass changed the type of {name!r} from {kind} to {value.type}")
            value.type, value.shape = kind, shape


def _infer_shapes(model: ir.Model) -> None:
    """Backends read the shapes of intermediate values; those from before the pass may be wrong now."""
    for graph in (model.graph, *model.graph.subgraphs()):
        ports = {*graph.inputs, *graph.outputs}
        for node in graph:
            for value in node.outputs if node.domain == "" else ():
                if value not in ports:
                    value.shape, value.type = None, None
    inference.infer(model)
