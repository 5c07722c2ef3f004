"""Takes many small models through passes in one call. Runs in the core toolchain."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused, Request, operation

from ..graphs import building
from ..ir.graph import executing, files, generating, importing, walk
from ..passes import catalogue
from ..passes.graph import infra, simplify
from ..suites import forked

simplify.run = forked.run  # the real onnxsim, loaded once instead of once per case

_SAMPLES = 2


@operation
def try_all(request: Request) -> object:
    """params: cases {name: params of `building.make`}, plan [[pass, ...], ...], params {pass: its parameters}, dims
    {free dim: size}.

    Each list of the plan is a chain, taken from the import. Returns {case: [[step, ...], ...]}, a step being {pass,
    error (see `_error`), operators (after it), changes, nodes (after it), again (whether a second run of the pass
    changed something)} or, as the last of a chain, {pass, refused} or {pass, raised}.
    """
    params = request.params
    found: dict[str, Any] = {}
    for name, case in params["cases"].items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = _try(case, Path(folder), params)
        request.progress(name)
    return found


def _try(case: Mapping[str, Any], folder: Path, params: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    source, ir = folder / "source", folder / "ir"
    source.mkdir()
    ir.mkdir()
    (source / files.MODEL).write_bytes(building.make(case).SerializeToString())
    importing.import_model(source, files.MODEL, ir, lambda line: None, shapes={})
    samples, _ = generating.generate(ir, count=_SAMPLES, seed=1, dims=params["dims"])
    before = _run(ir, samples)
    first = {"pass": "import", "operators": _operators(ir), "nodes": sum(_operators(ir).values())}
    chains = []
    for number, chain in enumerate(params["plan"]):
        place, steps = ir, [first]
        for name in chain:
            place = _step(
                name, params["params"][name], place, folder / f"{number}-{len(steps)}", before, samples, steps
            )
            if place is None:
                break
        chains.append(steps)
    return chains


def _step(
    name: str, chosen: dict[str, Any], place: Path, out: Path, before: Any, samples: Any, steps: list[Any]
) -> Any:
    """The folder that the pass made; None where the chain ends."""
    step: dict[str, Any] = {"pass": name}
    steps.append(step)
    try:
        value = _apply(name, chosen, place, out)
        again = _apply(name, chosen, out, out.with_name(f"{out.name}-again"))
        after = _run(out, samples)
    except Refused as refused:
        step["refused"] = str(refused)
        return None
    except Exception as error:
        step["raised"] = f"{type(error).__name__}: {str(error).strip()[:500]}"
        return None
    operators = _operators(out)
    step |= {"error": _error(before, after), "operators": operators, "changes": value["changes"]}
    step |= {"nodes": sum(operators.values()), "again": again["modified"]}
    return out


def _apply(name: str, params: dict[str, Any], ir: Path, out: Path) -> dict[str, Any]:
    out.mkdir()
    work = infra.Work(params, {"ir": ir}, lambda *a, **k: None, lambda *a, **k: None)
    return infra.apply(catalogue.PASSES[name](), work, out)


def _run(folder: Path, samples: Mapping[str, Any]) -> list[list[Any]]:
    """As the model stands: ONNX Runtime's own optimisations would hide what a pass does."""
    session = executing.open_session(folder / files.MODEL, optimisation="none")
    names = [port.name for port in session.get_inputs()]
    with executing.refusing("does not run the model"):
        return [session.run(None, executing.one({name: samples[name] for name in names}, i)) for i in range(_SAMPLES)]


def _error(before: list[list[Any]], after: list[list[Any]]) -> float | str:
    """The largest difference relative to the output's range, or what else differs."""
    worst = 0.0
    for old, new in zip((a for run in before for a in run), (b for run in after for b in run), strict=True):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            return f"{old.dtype}{list(old.shape)} became {new.dtype}{list(new.shape)}"
        a, b = old.astype(np.float64), new.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        if not np.isfinite(a[~same]).all() or not np.isfinite(b[~same]).all():
            return "other numbers that are not finite"
        if a.size and not same.all():
            size = np.abs(a[np.isfinite(a)]).max(initial=1e-3)
            worst = max(worst, float(np.abs(a - b)[~same].max() / size))
    return worst


def _operators(folder: Path) -> dict[str, int]:
    model = onnx.load_model(str(folder / files.MODEL), load_external_data=False)
    return dict(Counter(walk.qualified(node) for node in walk.nodes(model)))
