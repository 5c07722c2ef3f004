"""Runs an ONNX file, or one in ONNX Runtime's format, just as it came. Runs in the core toolchain.

By ONNX Runtime where it takes the file ("original"). Where it does not (an old operator set, a newer file format), by
ONNX's reference evaluator ("independent"). Where neither can, by ONNX Runtime on the imported model: that proves the
passes and backends, and not the import ("own").
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from . import originals


@operation
def reference(request: Request) -> dict[str, Any]:
    """See `kit.executing.reference`. The value's `reason` says why it was not ONNX Runtime on the file itself."""
    reasons: list[str] = []
    for open_original in _ways(request):
        try:
            original = open_original()
            value = executing.reference(request, lambda *_, original=original: original)
        except Refused as refused:
            reasons.append(str(refused))
            continue
        if reasons:
            request.note(f"the reference is {original.kind}, {original.tool}: {'; '.join(reasons)}", level="warning")
        return {**value, "kind": original.kind, "reason": "; ".join(reasons) or None}
    hint = "give real inputs with --data, or sizes of its free dims with --shape"
    raise Refused("; ".join(dict.fromkeys(reasons)), kind="unsupported", hint=hint)


@operation
def layers(request: Request) -> dict[str, Any]:
    return executing.layers(request, lambda *_: originals.LayersInRuntime(_main(request)))


@operation
def time_(request: Request) -> dict[str, Any]:
    """Of the imported model where ONNX Runtime does not take the original."""

    def open_original(request: Request, contract: object, threads: int | None) -> originals.Original:
        del contract
        try:
            return originals.InRuntime(_main(request), optimised=True, threads=threads or 1)
        except Refused:
            return originals.InRuntime(_imported(request), optimised=True, threads=threads or 1)

    return executing.time(request, open_original)


def _ways(request: Request) -> Iterator[Callable[[], originals.Original]]:
    main = _main(request)
    yield lambda: originals.InRuntime(main)
    if not originals.is_ort(main):
        yield lambda: originals.InEvaluator(main)
    yield lambda: originals.InRuntime(_imported(request), kind="own")


def _main(request: Request) -> Path:
    return originals.main_file(Path(request.inputs["source"]), request.params["entry"])


def _imported(request: Request) -> Path:
    return Path(request.inputs["imported"]) / "model.onnx"
