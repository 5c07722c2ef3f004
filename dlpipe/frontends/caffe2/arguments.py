"""The arguments of one operator, and which of them were looked at: one that nobody handles is never passed over."""

from __future__ import annotations

from typing import Any

from dlpipe_worker import Refused

# What an argument helper of Caffe2's own writes on any operator: hints on speed and training, not on the result.
_WITHOUT_EFFECT = {
    "order",  # on operators where the layout does not matter; the others read it
    "is_test",
    "use_cudnn",
    "cudnn_exhaustive_search",
    "exhaustive_search",
    "ws_nbytes_limit",
    "shared_buffer",
    "deterministic",
    "enable_tensor_core",
    "float16_compute",
    "convolution_transform_strategy",
    "no_gradient_to_input",
    "momentum",
    "spatial",
    "init_params",
    "net_position",
    "async_scheduling",
    "_numa",
}


class Arguments:
    def __init__(self, message: Any) -> None:
        """message: an OperatorDef."""
        self._found = {each.name: each for each in message.arg}
        self._where = {"node": message.name or next(iter(message.output), None), "op": message.type}
        self._seen: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def integer(self, name: str, default: int = 0) -> int:
        found = self._take(name)
        if found is None:
            return default
        if found.HasField("i"):
            return int(found.i)
        if found.HasField("f") and float(found.f).is_integer():
            return int(found.f)
        raise self._wrong(name, "an integer")

    def number(self, name: str, default: float = 0.0) -> float:
        found = self._take(name)
        if found is None:
            return default
        if found.HasField("f"):
            return float(found.f)
        if found.HasField("i"):
            return float(found.i)
        raise self._wrong(name, "a number")

    def text(self, name: str, default: str = "") -> str:
        found = self._take(name)
        if found is None:
            return default
        return bytes(found.s).decode("utf-8", "replace")

    def integers(self, name: str) -> list[int]:
        """Empty where there are none."""
        found = self._take(name)
        if found is None:
            return []
        return [int(each) for each in found.ints] or ([int(found.i)] if found.HasField("i") else [])

    def numbers(self, name: str) -> Any:
        """The repeated floats (the protobuf container, which large weights stay in)."""
        found = self._take(name)
        return () if found is None else found.floats

    def raw(self, name: str) -> Any:
        """The Argument message itself, or None."""
        return self._take(name)

    def check_all_seen(self) -> None:
        """Raises Refused where an argument may change the result and was not looked at."""
        left = sorted(set(self._found) - self._seen - _WITHOUT_EFFECT)
        if left:
            raise Refused(f"the argument {left[0]!r} is not one that dlpipe converts", "unsupported", **self._where)

    def ignore(self, *names: str) -> None:
        self._seen.update(names)

    def _take(self, name: str) -> Any:
        self._seen.add(name)
        return self._found.get(name)

    def _wrong(self, name: str, what: str) -> Refused:
        return Refused(f"the argument {name!r} is not {what}", **self._where)
