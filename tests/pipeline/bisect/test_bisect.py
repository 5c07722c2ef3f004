"""Any two forms of a model: which step of the way departs, and at which node."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.passes import ChosenPass
from dlpipe.errors import BadModel, GateFailed, UserError
from dlpipe.pipeline.bisect.bisect import bisect
from dlpipe.pipeline.bisect.in_stages import of_stages
from dlpipe.pipeline.bisect.words import lines
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.optimise import optimise
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

PLANTING = Path(__file__).parents[2] / "measure" / "bisecting" / "worker.py"
BODY = (
    """(float[1,8] x) => (float[1,8] y) { [first] a = MatMul(x, w)  [second] b = Tanh(a)  [third] y = MatMul(b, v) }"""
)
HEAD = '<ir_version: 8, opset_import: ["" : 17]> small '


@pytest.fixture
def models(bench: Any, tmp_path: Path) -> Any:
    """models(name, body) -> a file; models(name, of=file, fault=..., at=...) -> the file with a fault."""

    def make(name: str, body: str = BODY, of: str | None = None, **fault: Any) -> str:
        if of is None:
            folder = bench.build(text=HEAD + body, weights={"w": [8, 8], "v": [8, 8]})
        else:
            source = tmp_path / f"source-{name}"
            source.mkdir()
            shutil.copyfile(of, source / "model.onnx")
            folder = bench.run(Call("core", PLANTING, "plant", fault), ir=source)[1]
        target = tmp_path / f"{name}.onnx"
        shutil.copyfile(folder / "model.onnx", target)
        return str(target)

    return make


def test_two_files(session: Session, models: Any) -> None:
    good = models("good")
    found = bisect(session, good, models("bad", of=good, fault="operator", at="second", op="Sin"))
    assert found.agree is False
    assert found.found is not None
    assert (found.found["verdict"], found.found["first"]["node"]) == ("node", "second")
    assert any("second (Sin)" in line and "wrong by itself" in line for line in lines(found))


def test_the_same_model_twice(session: Session, models: Any) -> None:
    found = bisect(session, models("good"), models("again"))
    assert (found.agree, found.found) == (True, None)


def test_a_pass_that_breaks_a_node_is_left_out_and_the_node_named(
    session: Session, models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = {"fault": "operator", "at": "second", "op": "Sin", "pass": "clean"}
    monkeypatch.setattr("dlpipe.pipeline.optimise.pass_call", lambda name: Call("core", PLANTING, "plant", fault))
    samples = prove_import(session, ConvertRequest(model=models("good"), targets=())).samples
    optimised = optimise(session, samples, start="import", passes=[ChosenPass("clean")])
    assert optimised.ir == "import"
    assert "the first node that departs is second (Sin)" in optimised.dropped["clean"]


def test_stages_of_a_run(session: Session, models: Any) -> None:
    """What a run left, as a user names it; what is broken in a bundle shows it again."""
    request = ConvertRequest(model=models("good"), targets=())
    samples = prove_import(session, request).samples
    fault = {"fault": "perturb", "at": "v", "pass": "clean"}
    broken = Stage("clean", "pass", Call("core", PLANTING, "plant", fault), {"ir": "import"})
    session.executor.run([broken, *check_ir("clean", "fp32", samples)])
    found = of_stages(session)["clean"]
    assert (found.verdict, found.node) == ("node", "third")
    session.save_stages()
    assert found.command == f"dlpipe bisect {session.id}:import {session.id}:clean"
    session.executor.forget(list(session.executor.outcomes))
    *_, a, b = found.command.split()
    out = Path(models("good")).parent / "bundle"
    again = bisect(session, a, b, out=out)
    assert again.found is not None
    assert (again.found["first"]["node"], again.found["part"]) == ("third", ["third"])
    session.executor.forget(list(session.executor.outcomes))
    with np.load(out / "samples.npz") as fed:
        assert fed.files == ["b"]  # what the part reads, and not what the model does
    model = [str(out / side / "model.onnx") for side in ("reference", "candidate")]
    shown = bisect(session, *model, samples=out / "samples.npz")
    assert shown.found is not None
    assert (shown.agree, shown.found["first"]["node"]) == (False, "third")


def test_samples_that_are_none_are_refused(session: Session, models: Any, tmp_path: Path) -> None:
    """They are the user's: no failure of the tool that would have been fed with them."""
    file = tmp_path / "samples.npz"
    pair = (models("good"), models("again"))
    pickled = np.array([{"a": 1}], dtype=object)
    for arrays in ({"x": pickled}, {"x": np.array(["a"])}, {"x": np.zeros((2, 99))}, {}):
        np.savez(file, **arrays)
        with pytest.raises(BadModel):
            bisect(session, *pair, samples=file)
        session.executor.forget(list(session.executor.outcomes))
    for content in (b"", b"PK\x03\x04", b"text"):
        file.write_bytes(content)
        with pytest.raises(BadModel):
            bisect(session, *pair, samples=file)
        session.executor.forget(list(session.executor.outcomes))


def test_a_departure_that_only_the_weights_show(session: Session, models: Any, tmp_path: Path) -> None:
    good = models("good")
    bad = models("bad", of=good, fault="swap", at="v")
    with pytest.raises(GateFailed, match="does not depart any more"):
        bisect(session, good, bad, out=tmp_path / "bundle", strip_weights=True)
    assert not (tmp_path / "bundle").exists()


def test_the_shortest_stretch_over_which_errors_add_up(session: Session, models: Any, tmp_path: Path) -> None:
    nodes = " ".join(f"[n{i}] v{i} = Mul({f'v{i - 1}' if i else 'x'}, w{i})" for i in range(6))
    weights = ", ".join(f"float[1] w{i} = {{1.0}}" for i in range(6))
    good = bad = models("good", f"(float[1,16] x) => (float[1,16] v5) <{weights}> {{ {nodes} }}")
    for number in range(6):
        bad = models(f"bad{number}", of=bad, fault="scale", at=f"w{number}", factor=1 + 7e-5)
    found = bisect(session, good, bad, out=tmp_path / "bundle")
    assert found.found is not None
    assert (found.found["verdict"], found.found["first"]["node"]) == ("accumulates", found.found["part"][-1])
    assert 1 < len(found.found["part"]) < 6
    assert any("their errors add up" in line for line in lines(found))
    assert found.bundle is not None


def test_graphs_without_a_name_in_common(session: Session, models: Any) -> None:
    same = "(float[1,8] in) => (float[1,8] out) { [p] k = MatMul(in, w)  [q] l = Sin(k)  [r] out = MatMul(l, v) }"
    found = bisect(session, models("good"), models("other", same))
    assert found.found is not None
    assert (found.found["layer"], found.found["agrees_until"]) == ("second", "first")
    assert "no names of values in common" in found.not_looked_into[0]


def test_a_precision_that_is_none(session: Session) -> None:
    with pytest.raises(UserError, match="no precision 'int3'"):
        bisect(session, "a.onnx", "b.onnx", precision="int3")


def test_models_of_other_interfaces(session: Session, models: Any) -> None:
    other = models("other", "(float[1,8] x) => (float[1,8] y, float[1,8] a) { a = MatMul(x, w)  y = MatMul(a, v) }")
    with pytest.raises(UserError, match="1 and 2 outputs|2 and 1 outputs"):
        bisect(session, models("good"), other)


def test_a_run_that_is_not_known(session: Session, models: Any) -> None:
    with pytest.raises(UserError, match="no run or report '20200101-000000-abcd'"):
        bisect(session, "20200101-000000-abcd:fp16", models("good"))


def test_a_run_that_has_no_such_stage(session: Session, models: Any) -> None:
    session.save_stages()
    with pytest.raises(UserError, match="has no stage 'fuse'"):
        bisect(session, f"{session.id}:fuse", models("good"))
