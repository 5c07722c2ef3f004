"""Inside a black box: what a backend miscompiles is found by compiling parts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import GateFailed
from dlpipe.ir.calls import attach_call
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.bisect.bisect import bisect
from dlpipe.pipeline.bisect.words import lines
from dlpipe.pipeline.convert import convert
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.targets import registry
from dlpipe.targets.registry import target
from dlpipe.toolchains import bundle
from tests.conftest import Bench
from tests.measure.bisecting import nets
from tests.pipeline.bisect.faulty.backend import Faulty

CHAIN = """(float[1,8] x) => (float[1,8] y) {
    [n0] v0 = MatMul(x, w)  [n1] v1 = Mul(v0, s)  [n2] v2 = Tanh(v1)  [n3] v3 = Softplus(v2)
    [n4] v4 = MatMul(v3, w)  [n5] v5 = Neg(v4)  [n6] v6 = Tanh(v5)  [n7] y = MatMul(v6, w) }"""


@pytest.fixture
def compiled(bench: Any, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """compiled(ir, fault) -> (the IR's file, the artefact's folder)."""
    monkeypatch.setitem(registry.BACKENDS, "faulty", "tests.pipeline.bisect.faulty.backend:Faulty")

    def make(ir: Path, fault: str, name: str = "artifact") -> tuple[str, str]:
        monkeypatch.setattr(Faulty, "fault", fault)
        tree = session.store.ingest(ir).digest
        call = Faulty().compile_call(target("x86-64"), "fp32")
        stages = [
            Stage("compiled", "compile", call, {"ir": f"tree:{tree}"}),
            Stage("shipped", "package", attach_call(), {"artifact": "compiled", "ir": f"tree:{tree}"}),
        ]
        folder = tmp_path / name
        session.store.export(session.executor.run(stages)["shipped"].output, folder)
        session.executor.forget(list(session.executor.outcomes))
        return str(ir / "model.onnx"), str(folder)

    return make


@pytest.fixture
def chain(bench: Any) -> Path:
    text = f'<ir_version: 8, opset_import: ["" : 17]> chain {CHAIN}'
    return bench.make_ir(bench.build(text=text, weights={"w": [8, 8], "s": [8]}))


def test_a_miscompiled_operator_among_300_nodes(bench: Any, session: Session, compiled: Any) -> None:
    ir = bench.make_ir(bench.build(**nets.deep()))
    found = bisect(session, *compiled(ir, "node:b33relu"))
    assert found.found is not None
    assert found.found["verdict"] == "node"
    assert found.found["nodes"] == [{"node": "b33relu", "op": "Relu"}]
    assert found.found["part"] == ["b33relu"]
    assert found.found["compiled"] <= math.ceil(math.log2(300)) + 3


def test_two_that_are_wrong_only_together(session: Session, compiled: Any, chain: Path, tmp_path: Path) -> None:
    model, artifact = compiled(chain, "pair")
    found = bisect(session, model, artifact, out=tmp_path / "bundle")
    assert found.found is not None
    assert (found.found["verdict"], found.found["nodes"]) == ("together", [{"node": "n2", "op": "Tanh"}])
    assert found.found["part"] == ["n1", "n2"]
    assert any("with its neighbours" in line for line in lines(found))
    saved = tmp_path / "bundle"
    session.executor.forget(list(session.executor.outcomes))
    again = bisect(
        session, str(saved / "reference" / "model.onnx"), str(saved / "candidate"), samples=saved / "samples.npz"
    )
    assert again.agree is False
    assert bundle.replay(saved / "compile")["entry"] == "model.onnx"
    assert json.loads((saved / "versions.json").read_text())["tools"]["onnxruntime"]


def test_the_weights_may_stay_at_home(bench: Any, session: Session, compiled: Any, chain: Path, tmp_path: Path) -> None:
    model, artifact = compiled(chain, "node:n7")
    found = bisect(session, model, artifact, out=tmp_path / "bundle", strip_weights=True)
    assert found.found is not None
    assert (found.found["part"], found.bundle) == (["n7"], str(tmp_path / "bundle"))
    kept, noise = (
        bench.tool("weights", inputs={"ir": ir})[0]["w"] for ir in (chain, tmp_path / "bundle" / "reference")
    )
    assert np.shape(noise) == np.shape(kept)
    assert not np.isclose(noise, kept).any()


def test_where_the_backend_takes_no_part_that_ends_there(session: Session, compiled: Any, chain: Path) -> None:
    found = bisect(session, *compiled(chain, "node:n3"))
    assert found.found is not None
    assert [each["node"] for each in found.found["nodes"]] == ["n3", "n4"]
    assert "no Softplus at the end" in found.not_looked_into[0]


def test_an_artifact_of_which_nothing_is_known(session: Session, compiled: Any, chain: Path) -> None:
    model, artifact = compiled(chain, "node:n6")
    Path(artifact, "note.txt").write_text("with this it is another folder")
    found = bisect(session, model, artifact)  # A is taken for what it was compiled from
    assert found.found is not None
    assert [each["node"] for each in found.found["nodes"]] == ["n6"]


@pytest.mark.parametrize("known", [True, False])
def test_an_artifact_as_the_reference(
    session: Session, compiled: Any, chain: Path, tmp_path: Path, known: bool
) -> None:
    model, artifact = compiled(chain, "node:n6")
    if not known:
        Path(artifact, "note.txt").write_text("with this it is another folder")
    found = bisect(session, artifact, model, out=tmp_path / "bundle")
    assert found.found is not None
    assert (found.found["verdict"], found.found["nodes"]) == ("node", [{"node": "n6", "op": "Tanh"}])
    assert found.found["part"] == ["n6"]
    assert any(f"on A's side: {artifact} departs" in line for line in lines(found))
    assert found.bundle is not None


def test_two_artifacts_of_one_graph(session: Session, compiled: Any, chain: Path) -> None:
    _, good = compiled(chain, "", "good")
    _, bad = compiled(chain, "node:n6", "bad")
    for a, b, at_a in ((bad, good, True), (good, bad, None)):
        session.executor.forget(list(session.executor.outcomes))
        found = bisect(session, a, b)
        assert found.found is not None
        assert [each["node"] for each in found.found["nodes"]] == ["n6"]
        assert found.found.get("reference_departs") == at_a
    session.executor.forget(list(session.executor.outcomes))
    assert bisect(session, good, good).agree is True


def test_two_artifacts_of_which_nothing_is_known(session: Session, compiled: Any, chain: Path) -> None:
    good, bad = (compiled(chain, fault, name)[1] for fault, name in (("", "good"), ("node:n6", "bad")))
    for folder in (good, bad):
        Path(folder, "note.txt").write_text("with this it is another folder")
    found = bisect(session, bad, good)
    assert found.agree is False
    assert "nothing here knows from which IR" in found.not_looked_into[0]


def test_an_artifact_in_parts(bench: Bench, session: Session, compiled: Any, chain: Path, tmp_path: Path) -> None:
    cuts = [(("x",), ("v1",)), (("v1",), ("v4",)), (("v4",), ("y",))]
    whole = tmp_path / "parts"
    whole.mkdir()
    parts = []
    for number, (inputs, outputs) in enumerate(cuts):
        given = [] if inputs == ("x",) else list(inputs)
        _, ir = bench.run(pass_call("extract", inputs=given, outputs=list(outputs)), ir=chain)
        _, folder = compiled(ir, "node:n6" if number == 2 else "", f"part{number}")
        Path(folder).rename(whole / f"part{number}")
        parts.append({"backend": "faulty", "variant": "fp32", "folder": f"part{number}", "inputs": list(inputs)})
    how = {"target": "x86-64", "backend": "faulty", "variant": "fp32", "parts": parts}
    (whole / "run.json").write_text(json.dumps(how))
    (whole / "contract.json").write_text((chain / "contract.json").read_text())
    model = str(chain / "model.onnx")
    for a, b, on_a in ((model, str(whole), None), (str(whole), model, True)):
        session.executor.forget(list(session.executor.outcomes))
        found = bisect(session, a, b)
        assert found.found is not None
        assert (found.found["in_part"], found.found["verdict"]) == ("part2", "node")
        assert [each["node"] for each in found.found["nodes"]] == ["n6"]
        assert found.found.get("reference_departs") == on_a
        assert "the first part that departs is part2" in list(lines(found))


def test_a_conversion_names_the_node_of_an_artifact_that_departs(
    session: Session, compiled: Any, chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "fault", "node:n6")
    request = _request(str(chain / "model.onnx"), tmp_path / "out")
    done = convert(session, request)
    (artifact,) = done.report.artifacts
    assert not any(stage.id.startswith("part:") for stage in done.report.stages)
    assert artifact.verdict == "failed"
    assert artifact.departs_at is not None
    assert (artifact.departs_at.verdict, artifact.departs_at.node) == ("node", "n6")
    assert "the first node that departs is n6 (Tanh)" in (artifact.reason or "")
    assert isinstance(done.error, GateFailed)
    # Where it would take too long, it is left to the user.
    session.executor.forget(list(session.executor.outcomes))
    monkeypatch.setattr("dlpipe.pipeline.bisect.in_artifacts.BUDGET", 0.0)
    (artifact,) = convert(session, request).report.artifacts
    assert artifact.departs_at is not None
    assert artifact.departs_at.verdict == "unknown"
    assert f"dlpipe bisect {session.id}:" in (artifact.reason or "")


def _request(model: str, out: Path) -> ConvertRequest:
    return ConvertRequest(model=model, targets=("x86-64",), backends=("faulty",), precision="fp32", out=out)
