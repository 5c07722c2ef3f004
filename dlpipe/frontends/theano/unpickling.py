"""Pickles read without running anything that they name: arrays and containers as they are, the rest as records.

A pickle is a program whose instructions may call any function of any module. Here the only functions to be had are
those that make numpy arrays; a class of Theano's becomes a `Record` of what the file says of the object.
Clean down to Python 3.6, for the worker that runs in Theano's own interpreter.
"""

import collections
import pickle
from pathlib import Path
from typing import Any, Dict, Tuple

from dlpipe_worker import Refused

RECORDED = ("theano", "lasagne")  # packages whose objects are recorded

_HARMLESS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): None,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "slice"): slice,
    ("builtins", "complex"): complex,
    ("builtins", "bytearray"): bytearray,
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("builtins", "bool"): bool,
    ("builtins", "object"): object,
}  # type: Dict[Tuple[str, str], Any]
_OLD = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 2's names


class Record:
    """`kind`: "theano.tensor.basic Dot"; `arguments`: of its construction; `state`: its attributes, where known."""

    kind = ""
    arguments: Tuple[Any, ...]
    named: Dict[str, Any]
    state: Any

    def __new__(cls, *arguments: Any, **named: Any) -> "Record":
        made = object.__new__(cls)
        made.arguments, made.named, made.state = arguments, named, {}
        return made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):  # with __slots__
            state = {**(state[0] or {}), **state[1]}
        self.state = state

    def __getitem__(self, name: str) -> Any:
        return self.state[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.state.get(name, default) if isinstance(self.state, dict) else default

    # Some pickled classes are containers, whose items the pickle puts in one by one.
    def append(self, item: Any) -> None:
        self.arguments = (*self.arguments, item)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(self.state, dict):
            self.state[key] = value


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, name: str, **options: Any) -> None:
        super().__init__(file, **options)
        self._name = name
        self._kinds = {}  # type: Dict[Tuple[str, str], type]

    def find_class(self, module: str, name: str) -> Any:
        module = _OLD.get(module, module)
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if (module, name) == ("copyreg", "_reconstructor"):
            return _reconstructor
        if module.split(".")[0] == "numpy":
            found = _of_numpy(module, name)
            if found is not None:
                return found
        if module.split(".")[0] in RECORDED:
            if (module, name) not in self._kinds:
                self._kinds[module, name] = type("Record", (Record,), {"kind": module + " " + name})
            return self._kinds[module, name]
        raise Refused(
            f"{self._name} names {module}.{name}, which is no array: nothing of it is executed",
            kind="unsupported",
            hint="save the parameters alone: numpy.savez(file, *lasagne.layers.get_all_param_values(network))",
        )

    def persistent_load(self, _pid: Any) -> Any:
        raise Refused(f"{self._name} refers to objects outside the file")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2. Only this one encoding: some others unpack."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused(f"the pickle asks for the encoding {encoding!r}")
    return text.encode("latin1")


def _reconstructor(kind: Any, _base: Any, state: Any) -> Any:
    """Objects of old protocols. Only records are made this way."""
    if not (isinstance(kind, type) and issubclass(kind, Record)):
        raise Refused("the pickle reconstructs an object of the type {}".format(getattr(kind, "__name__", kind)))
    return kind() if state is None else kind(state)


def _of_numpy(module: str, name: str) -> Any:
    import numpy as np

    if name == "_reconstruct" and module.endswith("multiarray"):
        return _empty_array
    if name == "scalar" and module.endswith("multiarray"):
        return _scalar
    if (module, name) == ("numpy", "ndarray"):
        return np.ndarray
    if (module, name) == ("numpy", "dtype"):
        return np.dtype
    if module == "numpy" and isinstance(getattr(np, name, None), type) and issubclass(getattr(np, name), np.generic):
        return getattr(np, name)
    return None


def _empty_array(kind: Any, shape: Any, _dtype: Any) -> Any:
    """Filled by the state that follows, whose bytes numpy holds against its shape."""
    import numpy as np

    if kind is not np.ndarray or tuple(shape) != (0,):
        raise Refused("the pickle makes an array of an unusual kind")
    return np.ndarray((0,), "b")


def _scalar(dtype: Any, data: Any = None) -> Any:
    import numpy as np

    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(data, (bytes, str)):
        raise Refused("the pickle holds a number of an unusual kind")
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype)[0]


def read(path: Path) -> Any:
    """The object in a pickle of Python 2 or 3. Raises Refused for what is damaged or names anything else."""
    with path.open("rb") as file:
        try:
            return _Unpickler(file, path.name, encoding="latin1").load()
        except Refused:
            raise
        except MemoryError:
            raise Refused(f"{path.name} claims more than this machine's memory") from None
        except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever its instructions lead to
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Refused(f"{path.name} is not a whole pickle: {message}") from None
