"""The network, evaluated: fragments are opened, literals computed, operations handed to their converters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlpipe_worker import Refused

from ..kit.shaped import ShapedGraph
from .binding import bind, named_results, names
from .expressions import Node
from .handlers import HANDLERS
from .literals import computed, number, whole
from .packed import Files
from .quantising import dequantised
from .signatures import EXTENSIONS, NEEDED, STANDARD
from .step import Absent, Step, Tensor
from .syntax import Document, Fragment

_DEEPEST = 150  # expressions and fragments within each other
_MOST_OPERATIONS = 50_000
_MOST_STEPS = 5_000_000  # expressions that are evaluated, and items of lists that they make
_OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow", "<": "lt", ">": "gt", "<=": "le", ">=": "ge",
    "==": "eq", "!=": "ne", "&&": "and", "||": "or", "!": "not",
}  # fmt: skip
_QUALIFIED = {"scalar": float, "integer": int, "logical": bool, "string": str}

_SOURCES = {"external", "variable", "constant", "tract_core_external"}

Scope = dict[str, Any]


class Evaluator:
    """`symbols`: free dims by name, as an int where the user gave a size. `after`: what is done to a named tensor of
    the graph when it is there (quantisation)."""

    def __init__(
        self,
        document: Document,
        graph: ShapedGraph,
        files: Files,
        symbols: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> None:
        self._document = document
        self._graph = graph
        self._files = files
        self._symbols = symbols
        self._inputs = inputs
        self._depth = 0
        self._operations = 0
        self._steps = 0
        self._prefix = ""  # of names inside fragments
        self.counts: dict[str, int] = {}
        self.after: dict[str, Callable[[Tensor], Tensor]] = {}

    def graph_values(self) -> Scope:
        """Every named value of the graph. Raises Refused, naming the operation."""
        body = self._document.graph
        scope: Scope = {}
        for target, expression in body.body or []:
            if expression[0] == "call" and expression[1] in _SOURCES:
                continue  # an input or a weight takes its name itself
            for name in names(target):
                if self._graph.fresh(name) != name:
                    raise Refused(f"{name!r} is assigned twice", node=name)
        self._run(body, scope, outermost=True)
        return scope

    def _run(self, fragment: Fragment, scope: Scope, wanted: Any = None, outermost: bool = False) -> None:
        results = dict(zip(fragment.results, wanted, strict=False)) if isinstance(wanted, list | tuple) else {}
        for target, expression in fragment.body or []:
            source = expression[0] == "call" and expression[1] in _SOURCES
            later = self.after if outermost and not source else {}
            hoped = named_results(target, results, later, outermost)
            value = self.value(expression, scope, hoped)
            self._assign(target, value, scope, outermost)

    def _assign(self, target: Node, value: Any, scope: Scope, outermost: bool) -> None:
        if target[0] == "name":
            name = target[1]
            if name in scope:
                raise Refused(f"{name!r} is assigned twice", node=name)
            if outermost and name in self.after:
                value = self.after[name](value)
            scope[name] = value
            return
        parts = target[1]
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            raise Refused(f"{len(parts)} names are assigned to something else", node=next(iter(names(target)), None))
        for part, each in zip(parts, value, strict=True):
            self._assign(part, each, scope, outermost)

    # -- expressions

    def value(self, node: Node, scope: Scope, wanted: Any = None) -> Any:
        """wanted: the name (or tuple, list of names) that the result of a call gets."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Refused("fragments or expressions lie too deep within each other", "unsupported")
        try:
            found = getattr(self, f"_{node[0]}")(node, scope, wanted)
        finally:
            self._depth -= 1
        self._steps += 1 + (len(found) if isinstance(found, list | tuple | str) else 0)
        if self._steps > _MOST_STEPS:
            raise Refused("the text computes more than any network asks for", "unsupported")
        return found

    def _value(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del scope, wanted
        return node[1]

    def _name(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        name = node[1]
        if name in scope:
            return scope[name]
        if name in self._symbols:
            return self._symbols[name]
        raise Refused(f"line {node[2]}: {name!r} is read before it is assigned", node=name)

    def _tuple(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        return tuple(self.value(each, scope) for each in node[1])

    def _array(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        return [self.value(each, scope) for each in node[1]]

    def _if(self, node: Node, scope: Scope, wanted: Any) -> Any:
        condition = self.value(node[1], scope)
        if not isinstance(condition, bool):
            raise Refused("`if` asks for true or false", hint="a tensor is chosen by `select`")
        return self.value(node[2] if condition else node[3], scope, wanted)

    def _for(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        _, loops, condition, result = node
        lists = [self.value(each, scope) for _, each in loops]
        if not all(isinstance(each, list) for each in lists) or len({len(each) for each in lists}) != 1:
            raise Refused("a comprehension goes through lists of one length")
        found = []
        for values in zip(*lists, strict=True):
            inner = {**scope, **{name: each for (name, _), each in zip(loops, values, strict=True)}}
            if condition is None or self.value(condition, inner):
                found.append(self.value(result, inner))
        return found

    def _item(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        value, index = self.value(node[1], scope), self.value(node[2], scope)
        if not isinstance(value, list | tuple | str) or not whole(index) or not 0 <= index < len(value):
            raise Refused(f"there is no item {index!r} in a {type(value).__name__}")
        return value[index]

    def _range(self, node: Node, scope: Scope, wanted: Any) -> Any:
        del wanted
        value = self.value(node[1], scope)
        first, last = (None if each is None else self.value(each, scope) for each in node[2:4])
        if not isinstance(value, list | str) or not all(each is None or whole(each) for each in (first, last)):
            raise Refused("a range is taken of what is no list")
        return value[first:last]

    def _unary(self, node: Node, scope: Scope, wanted: Any) -> Any:
        _, op, each, line = node
        value = self.value(each, scope)
        if isinstance(value, Tensor | Absent):
            return value if op == "+" else self.call("neg" if op == "-" else "not", {"x": value}, wanted, line)
        if op == "!" and isinstance(value, bool):
            return not value
        if op != "!" and number(value):
            return -value if op == "-" else value
        raise Refused(f"line {line}: {op} of {value!r}")

    def _binary(self, node: Node, scope: Scope, wanted: Any) -> Any:
        _, op, one, two, line = node
        first, second = self.value(one, scope), self.value(two, scope)
        if op == "in" and isinstance(second, list):
            return first in second
        if isinstance(first, Tensor | Absent) or isinstance(second, Tensor | Absent):
            if op in _OPERATORS:
                return self.call(_OPERATORS[op], {"x": first, "y": second}, wanted, line)
        else:
            try:
                return computed(op, first, second)
            except (TypeError, KeyError, ValueError, ArithmeticError):
                pass
        raise Refused(f"line {line}: {op} of {type(first).__name__} and {type(second).__name__} cannot be computed")

    # -- calls

    def _call(self, node: Node, scope: Scope, wanted: Any) -> Any:
        _, name, dtype, given, named, line = node
        values = [self.value(each, scope) for each in given]
        keyed = {key: self.value(each, scope) for key, each in named.items()}
        if name in self._document.fragments:
            return self._fragment(self._document.fragments[name], values, keyed, wanted, dtype, line)
        if name in _QUALIFIED and len(values) == 1 and not keyed:
            return self._cast(name, values[0], wanted, line)
        if name in _BUILT_IN and not keyed:
            return self._built_in(name, values, line)
        if name not in STANDARD and name not in EXTENSIONS:
            label = wanted if isinstance(wanted, str) else None
            what = f"line {line}: {name} is no operation of the NNEF 1.0 standard"
            raise Refused(what, "unsupported", node=label, op=name, hint="a fragment with a body would define it")
        parameters = STANDARD.get(name) or EXTENSIONS[name]
        return self.call(name, bind(name, parameters, values, keyed, line), wanted, line, dtype)

    def call(self, name: str, args: Mapping[str, Any], wanted: Any, line: int = 0, dtype: str | None = None) -> Any:
        """One operation of the standard (or an extension that is known), converted."""
        self._operations += 1
        if self._operations > _MOST_OPERATIONS:
            raise Refused("the network has more operations than any has", "unsupported")
        handler = HANDLERS.get(name)
        if handler is None:
            label = wanted if isinstance(wanted, str) else None
            raise Refused(f"line {line}: dlpipe does not convert this operation", "unsupported", node=label, op=name)
        self.counts[name] = self.counts.get(name, 0) + 1
        if wanted is None:
            wanted = self._graph.fresh(f"{self._prefix}{name}_{self._operations}")
        step = Step(self._graph, self._files, name, args, wanted, dtype, self._inputs)
        try:
            return handler(step)
        except (IndexError, ValueError, TypeError, OverflowError, ArithmeticError, MemoryError) as error:
            step.fail(f"line {line}: its arguments do not fit together: {error or type(error).__name__}")

    def quantised(self, name: str, call: Node, value: Any) -> Tensor:
        """The tensor `name` of the graph, quantised as a line of graph.quant says: a variable that is stored as
        integers is turned into the numbers they stand for, anything else rounded to the levels."""
        _, op, _, _, named, line = call
        args = {"x": value, **{key: self.value(each, {}) for key, each in named.items()}}
        given = bind(op, STANDARD[op], [], args, line)
        array = self._graph.array(value.name) if isinstance(value, Tensor) else None
        wanted = name if self._graph.shape(name) is None else self._graph.fresh(f"{name}_quantised")
        if array is None or array.dtype.kind not in "iu":
            rounded: Tensor = self.call(op, given, wanted, line)
            return rounded
        return dequantised(Step(self._graph, self._files, op, given, wanted, None, {}), value)

    def _fragment(
        self, fragment: Fragment, given: list[Any], named: Scope, wanted: Any, dtype: str | None, line: int
    ) -> Any:
        if fragment.body is None:
            if fragment.name in STANDARD or fragment.name in EXTENSIONS:  # declared again, as the standard has it
                parameters = STANDARD.get(fragment.name) or EXTENSIONS[fragment.name]
                return self.call(
                    fragment.name, bind(fragment.name, parameters, given, named, line), wanted, line, dtype
                )
            label = wanted if isinstance(wanted, str) else None
            what = f"line {line}: {fragment.name} is declared without a body, and the standard has none"
            raise Refused(what, "unsupported", node=label, op=fragment.name)
        defaults = {key: NEEDED if each is None else self.value(each, {}) for key, each in fragment.params}
        scope = bind(fragment.name, defaults, given, named, line)
        names = [wanted] if isinstance(wanted, str) else wanted
        outer, self._prefix = self._prefix, f"{self._prefix}{fragment.name}."[-200:]
        try:
            self._run(fragment, scope, names)
        finally:
            self._prefix = outer
        missing = [each for each in fragment.results if each not in scope]
        if missing:
            raise Refused(f"the fragment {fragment.name} does not assign its result {missing[0]!r}", op=fragment.name)
        found = tuple(scope[each] for each in fragment.results)
        return found[0] if len(found) == 1 else found

    def _cast(self, name: str, value: Any, wanted: Any, line: int) -> Any:
        if isinstance(value, Tensor | Absent):
            return self.call("cast", {"input": value}, wanted, line, name)
        if not isinstance(value, bool | int | float | str):
            raise Refused(f"line {line}: {name}() of a {type(value).__name__}")
        try:
            return _QUALIFIED[name](value)
        except (ValueError, OverflowError) as error:
            raise Refused(f"line {line}: {name}({value!r})") from error

    def _built_in(self, name: str, values: list[Any], line: int) -> Any:
        value = values[0] if len(values) == 1 else None
        if name == "shape_of" and isinstance(value, Tensor):
            shape = self._graph.shape(value.name)
            if shape is None or not all(isinstance(each, int) for each in shape):
                raise Refused(f"line {line}: shape_of a tensor with free dims", "unsupported", op=name)
            return list(shape)
        if name == "length_of" and isinstance(value, list | str):
            return len(value)
        if name == "range_of" and isinstance(value, list | str):
            return list(range(len(value)))
        raise Refused(f"line {line}: {name} of a {type(value).__name__}", op=name)


_BUILT_IN = {"shape_of", "length_of", "range_of"}
