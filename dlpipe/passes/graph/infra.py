"""What every pass is, and the checks that hold it to its word.

The shape of it (a pass says what it requires and ensures, and whether it changed anything) is that of onnx_ir's
passes; here the claim is checked against the bytes.
"""

import abc
import copy
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused, Request

from . import files, inference
from .structure import structure


@dataclass(frozen=True, slots=True)
class Work:
    """What a pass is given beside the model."""

    params: Mapping[str, Any]
    inputs: Mapping[str, Path]
    note: Callable[..., None]
    progress: Callable[..., None]
    # (a file of the input "ir", its place in the output): how it gets there as it is. The host need only be told.
    hand_on: Callable[[Path, Path], object] = shutil.copyfile

    @classmethod
    def of(cls, request: Request) -> "Work":
        """With the parameters that are the pass's own."""
        return cls(
            params={key: value for key, value in request.params.items() if key not in ("pass", "others_in_float")},
            inputs=_Given({name: Path(folder) for name, folder in request.inputs.items()}),
            note=request.note,
            progress=request.progress,
            hand_on=lambda source, _: request.hand_on("ir", source.name),
        )

    def contract(self) -> dict[str, Any]:
        """The I/O contract of the model (see `dlpipe.ir.contract`)."""
        found: dict[str, Any] = json.loads((self.inputs["ir"] / files.CONTRACT).read_bytes())
        return found


class _Given(dict[str, Path]):
    """What a pass asks for and was not given is refused, whichever pass it is."""

    def __missing__(self, name: str) -> Path:
        raise Refused(
            f"this pass needs the input {name!r}, and there is none",
            kind="unsupported",
            hint="name data of yours with --data",
        )


@dataclass(slots=True)
class Rewritten:
    """`changes`: one line per change; none exactly when the model is as it was. `details` go into the pass's value.
    `contract`: the new I/O contract, from a pass that changes inputs or outputs, and says so."""

    model: ir.Model
    changes: list[str]
    details: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] | None = None


class GraphPass(abc.ABC):
    """One optimisation. Its docstring shows the graph before and after, and says what it requires and ensures."""

    changes_interface = False  # whether it may change names, types and shapes of the inputs and outputs
    tidies_up = False  # whether what no weight uses any more is taken out of data files, however little it is

    def requires(self, model: ir.Model) -> None:  # noqa: B027 - most passes require nothing
        """Raise Refused for a model that this pass cannot work on."""

    @abc.abstractmethod
    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        """May change `model` in place. Inputs and outputs keep names, types and shapes, unless `changes_interface`."""

    def ensures(self, model: ir.Model) -> None:  # noqa: B027 - of some, the checks of `apply` say all there is
        """Raise AssertionError unless the result is what the docstring says."""


def apply(chosen: GraphPass, work: Work, out: Path) -> dict[str, Any]:
    """Run one pass on the IR folder `work.inputs["ir"]`, check its claims, and write the IR folder `out`."""
    source = work.inputs["ir"]
    model = files.load(source)
    original = _Original(structure(model), _interface(model), {node.domain for node in model.graph.all_nodes()})
    nodes = count_nodes(model)
    inference.infer(model)
    chosen.requires(model)
    result = chosen.rewrite(model, work)
    changed = _hold_to_its_word(chosen, result, original)
    dead = files.dead_bytes(result.model, source) if chosen.tidies_up else 0
    if dead:
        result.changes.append(f"{dead} bytes of data files that no weight uses")
    if result.changes:
        kept = files.save(result.model, source, out, files.COMPACT if chosen.tidies_up else files.LIVE)
        files.check(out, source, kept)
    else:
        kept = [files.MODEL, *files.data_files(source)]
    for name in kept:
        work.hand_on(source / name, out / name)
    _carry_over(source, out, result.contract)
    return {
        "modified": bool(result.changes),
        "nodes_before": nodes,
        "nodes_after": count_nodes(result.model) if changed else nodes,
        "changes": result.changes,
        **result.details,
    }


@dataclass(frozen=True, slots=True)
class _Original:
    structure: str
    interface: "list[_Ports]"
    domains: set[str]


def _hold_to_its_word(chosen: GraphPass, result: Rewritten, original: _Original) -> bool:
    """Whether the graph changed. Raises where that, or what is left, is not what the pass says."""
    changed = structure(result.model) != original.structure or result.contract is not None
    if changed != bool(result.changes):
        claim = result.changes[:3] or "no change"
        raise RuntimeError(f"the pass claims {claim}, and the model has {'' if changed else 'not '}changed")
    if not changed:
        return False
    # ncnn and TVM read the result: they know standard operators only.
    added = {node.domain for node in result.model.graph.all_nodes()} - original.domains - {""}
    if added - {function.domain for function in result.model.functions.values()}:
        raise RuntimeError(f"the pass added operators of the domains {sorted(added)}")
    interface = original.interface
    if result.contract is not None:
        if not chosen.changes_interface:
            raise RuntimeError("the pass changed the inputs or outputs, and does not say that it does")
        interface = _agreed(result.model, result.contract)
    infer_again(result.model)
    _restore_interface(result.model, interface)
    chosen.ensures(result.model)
    return True


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
        return cls(structure(model), operators, frozenset(map(str, model.graph.initializers)))

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


def stored(value: ir.Value | None) -> Any:
    """The tensor of a stored weight, not read yet; None for anything else, and for what the user may feed."""
    if value is None or value.is_graph_input() or not value.is_initializer():
        return None
    return value.const_value


def constant(value: ir.Value | None) -> Any:
    """The array of a stored weight; None as `stored`."""
    tensor = stored(value)
    return None if tensor is None else tensor.numpy()


def add_constant(graph: Any, array: Any, name: str) -> ir.Value:
    """A new weight under that name, or the next free one: the same for the same graph."""
    return _add(graph, ir.tensor(array), name)


def add_lazy(graph: Any, make: Callable[[], Any], like: Any, name: str) -> ir.Value:
    """As `add_constant`, for an array of the shape and type of the tensor `like` that may be large: it is made when
    somebody looks at it, and when the model is written, so that one of them at a time is in memory."""
    return _add(graph, ir.LazyTensor(lambda: ir.tensor(make()), like.dtype, ir.Shape(like.shape)), name)


def _add(graph: Any, tensor: Any, name: str) -> ir.Value:
    free, number = name, 2
    while free in graph.initializers:
        free, number = f"{name}_{number}", number + 1
    tensor.name = free
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


_Ports = list[tuple[Any, Any, Any]]  # of one side: name, type, shape


def _interface(model: ir.Model) -> list[_Ports]:
    return [[(v.name, copy.copy(v.type), v.shape) for v in side] for side in (model.graph.inputs, model.graph.outputs)]


def _agreed(model: ir.Model, contract: Mapping[str, Any]) -> list[_Ports]:
    """The interface with the shapes that the new contract gives it. Names must be those of the contract."""
    interface = []
    for ports, promised in zip(_interface(model), (contract["inputs"], contract["outputs"]), strict=True):
        if [name for name, _, _ in ports] != [port["name"] for port in promised]:
            raise RuntimeError(f"the pass made the inputs or outputs {ports}, and its contract says {promised}")
        shapes = [None if port["shape"] == ["*"] else ir.Shape(port["shape"]) for port in promised]
        interface.append([(name, kind, shape) for (name, kind, _), shape in zip(ports, shapes, strict=True)])
    return interface


def _carry_over(source: Path, out: Path, contract: Mapping[str, Any] | None) -> None:
    """Everything that is not the model: contract, preprocessing, labels. What the pass wrote itself stays."""
    for name in files.belongings(source):
        if (out / name).exists():
            continue
        copied = shutil.copytree if (source / name).is_dir() else shutil.copyfile
        copied(source / name, out / name)
    if contract is not None:
        text = json.dumps(contract, indent=2, sort_keys=True, ensure_ascii=False)
        (out / files.CONTRACT).write_text(text + "\n", encoding="utf-8")


def _restore_interface(model: ir.Model, interface: list[_Ports]) -> None:
    """Shapes as the contract says them: a library may have sharpened or dropped them. Names and types must hold."""
    for values, ports in zip((model.graph.inputs, model.graph.outputs), interface, strict=True):
        names = [value.name for value in values]
        if names != [name for name, _, _ in ports]:
            raise RuntimeError(f"the pass changed the inputs or outputs to {names}")
        for value, (name, kind, shape) in zip(values, ports, strict=True):
            if value.type is not None and value.type != kind:
                raise RuntimeError(f"the pass changed the type of {name!r} from {kind} to {value.type}")
            value.type, value.shape = kind, shape


def infer_again(model: ir.Model) -> None:
    """Backends read the shapes of intermediate values; those from before the pass may be wrong now."""
    for graph in (model.graph, *model.graph.subgraphs()):
        ports = {*graph.inputs, *graph.outputs}
        for node in graph:
            for value in node.outputs if node.domain == "" else ():
                if value not in ports:
                    value.shape, value.type = None, None
    inference.infer(model)
