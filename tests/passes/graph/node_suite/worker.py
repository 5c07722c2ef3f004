"""Brings the cases of ONNX's node suite to other operator sets. Runs in the core toolchain."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused, Request, operation

from ..ir.graph import kernels, walk, writing
from ..passes.graph import infra
from ..passes.graph.opset import Opset
from ..suites import cases
from ..suites import worker as suites

_RANDOM = ("Bernoulli", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial")


@operation
def convert(request: Request) -> object:
    """params: versions. Returns {"same" | "refused" | "failed": {case: [what of each version]}}."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in cases.load("node"):
        if any(node.op_type in _RANDOM for node in walk.nodes(case.model)):
            continue
        for version, verdict, what in _tried(case, request.params["versions"]):
            found[verdict][case.name].append(f"{version}: {what}")
        request.progress(case.name)
    return found


def _tried(case: Any, versions: list[int]) -> list[tuple[int, str, str]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source").mkdir()
        (folder / "source" / "model.onnx").write_bytes(case.model.SerializeToString())
        inputs = suites._inputs(case)
        try:
            suites._import(folder)
            before = suites._run(folder / "ir", inputs)
        except Exception:  # noqa: BLE001 - not executable as it is
            return []
        model = onnx.load_model(str(folder / "ir" / "model.onnx"))
        newest = kernels.newest_set(model, writing.version(model))
        return [
            (version, *_one(folder, version, inputs, before))
            for version in versions
            if version != writing.version(model) and version <= newest
        ]


def _one(folder: Path, version: int, inputs: Any, before: Any) -> tuple[str, str]:
    out = folder / str(version)
    out.mkdir()
    work = infra.Work({"version": version}, {"ir": folder / "ir"}, lambda *a, **k: None, lambda *a, **k: None)
    try:
        value = infra.apply(Opset(), work, out)
    except Refused as refused:
        return "refused", str(refused)
    except Exception as error:  # noqa: BLE001 - the verdict
        return "failed", f"{type(error).__name__}: {str(error).strip()[:300]}"
    try:
        after = suites._run(out, inputs)
    except Refused as refused:  # a type that ONNX has in that set, and ONNX Runtime does not execute
        return ("not executable" if "find an implementation" in str(refused) else "failed"), str(refused)
    wrong = suites._difference(before, after)
    return ("failed", wrong) if wrong else ("same", "; ".join(value["changes"]))
