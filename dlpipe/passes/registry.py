"""Which passes there are, and their calls. Third parties add theirs through the entry points `dlpipe.passes`, each a
callable without arguments that returns an object of the `Pass` protocol."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from dlpipe.contracts.call import Call, Limits
from dlpipe.contracts.passes import Pass, PassInfo
from dlpipe.errors import UserError

ENTRY_POINTS = "dlpipe.passes"
STANDARD = ("simplify", "fold-constants", "fold-batchnorm", "fuse", "clean")  # what `optimize` runs, in this order
_WORKER = Path(__file__).with_name("worker.py")
_SIMPLIFY_SECONDS = 600
_UNROLLED_NODES = 20_000

_INFOS = (
    PassInfo("simplify", "onnxsim, in a process of its own", exact=True, defaults={"seconds": _SIMPLIFY_SECONDS}),
    PassInfo("fold-constants", "what is the same for every input is computed once", exact=True),
    PassInfo("fold-batchnorm", "batch norms, scales and offsets go into the weights before them", exact=True),
    PassInfo("fuse", "operators that one operator can do, and transposes that cancel", exact=True),
    PassInfo("layout", "transposes that cancel through the operators between them", exact=True),
    PassInfo("clean", "identities, duplicates and what nothing uses", exact=True),
    PassInfo("unroll", "loops of known length, written out", exact=True, defaults={"limit": _UNROLLED_NODES}),
    PassInfo(
        "fp16",
        "half precision inside, float32 at the inputs and outputs",
        exact=False,
        defaults={"keep": []},
    ),
    PassInfo(
        "quantize-int8",
        "static int8 (QDQ): weights per channel, activations calibrated on samples",
        exact=False,
        needs=("samples",),
        defaults={
            "activations": "uint8",
            "weights": "int8",
            "per_channel": True,
            # Clips what almost never occurs: nearer to the original than minmax on the nets tried (cosine .987, .979).
            "method": "percentile",
            "percentile": 99.99,
            "exclude": [],
            "only": [],
        },
    ),
)


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    info: PassInfo

    def call(self, **params: Any) -> Call:
        unknown = sorted(set(params) - set(self.info.defaults))
        if unknown:
            known = ", ".join(sorted(self.info.defaults)) or "none"
            raise UserError(f"the pass {self.info.name} has no parameter {unknown[0]!r}", hint=f"it has: {known}")
        chosen = {**self.info.defaults, **params, "pass": self.info.name}
        limits = Limits(wall_seconds=max(3600, 2 * int(chosen.get("seconds", 0))))
        return Call("core", _WORKER, "apply", chosen, limits=limits)


def passes() -> list[str]:
    """All names: the built-in ones in the order of use, then those of entry points."""
    return list(_all())


def pass_info(name: str) -> PassInfo:
    """Raises UserError for a name that is not known."""
    return _find(name).info


def pass_call(name: str, **params: Any) -> Call:
    """Inputs: `ir`, and what `pass_info(name).needs` says. Output: an IR folder. Value: {modified, nodes_before,
    nodes_after, changes: [str], ...}. Raises UserError for an unknown pass or parameter."""
    return _find(name).call(**params)


def _find(name: str) -> Pass:
    found = _all()
    if name not in found:
        close = difflib.get_close_matches(name, found, 1)
        raise UserError(
            f"there is no pass {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(found)}",
        )
    return found[name]


@cache
def _all() -> dict[str, Pass]:
    found: dict[str, Pass] = {info.name: _BuiltIn(info) for info in _INFOS}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        made = cast("Pass", entry.load()())
        if made.info.name in found:
            raise UserError(f"the entry point {entry.value} brings a second pass {made.info.name!r}")
        found[made.info.name] = made
    return found
