"""CNTK models as users have them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.cntk import CntkFrontend
from dlpipe.ir import calls
from dlpipe.toolchains.pool import WorkerPool
from tests.frontends.caffe2.test_hostile import mutated
from tests.frontends.cntk.test_operators import feeds, make

FRONTEND = CntkFrontend()


def _import(work: Any, source: Path, entry: str = "model.model", **options: Any) -> tuple[Path, dict[str, Any]]:
    call = FRONTEND.import_call(Sniffed("cntk/model", "cntk", entry), ImportOptions(**options))
    ir, _ = work(call, {"source": source})
    return ir, json.loads((ir / "contract.json").read_text())


def _run(work: Any, ir: Path, **fed: Any) -> dict[str, Any]:
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **fed)
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    with np.load(out / "outputs.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("mlp", ["N", 20]), ("cnn", ["N", 3, 32, 32]), ("lstm", ["N", "T", 8])],
)
def test_made_models_give_what_cntk_gave(work: Any, shared: Path, name: str, inputs: list[Any]) -> None:
    made = shared / "made" / "cntk27"
    ir, contract = _import(work, work.source(made / f"{name}.model"), f"{name}.model")
    assert contract["inputs"][0]["shape"] == inputs
    with np.load(made / f"{name}_ref.npz") as reference:
        found = _run(work, ir, **{contract["inputs"][0]["name"]: reference["x"][None]})
        (output,) = found.values()
        np.testing.assert_allclose(output[0].reshape(reference["y"].shape), reference["y"], atol=1e-5)


@pytest.mark.interpreter
def test_layers_of_the_original_bear_the_names_of_onnx_values(work: Any, shared: Path) -> None:
    source = work.source(shared / "made" / "cntk27" / "cnn.model")
    ir, contract = _import(work, source, "cnn.model")
    samples = work.new_folder()
    np.savez(samples / "samples.npz", features=np.ones((1, 1, 3, 32, 32), np.float32))
    call = FRONTEND.layers_call(Sniffed("cntk/model", "cntk", "cnn.model"), ImportOptions())
    _, told = work(call, {"source": source, "imported": ir, "samples": samples})
    assert told["layers"][-1] == contract["outputs"][0]["name"]
    _, described = work(calls.describe_call(), {"ir": ir})
    values = {each["name"] for node in described["nodes"] for each in node["outputs"]}
    assert set(told["layers"]) <= values


@pytest.mark.interpreter
def test_names_and_chosen_outputs(work: Any) -> None:
    inputs = {"x": (3, 4)}
    code = "C.softmax(C.layers.Dense(3, name='logits')(x), name='probabilities')"
    source = make(work, inputs, code)
    _, contract = _import(work, source)
    assert [port["name"] for port in contract["outputs"]] == ["probabilities"]
    ir, contract = _import(work, source, outputs=("logits",))
    assert [port["name"] for port in contract["outputs"]] == ["logits"]
    assert _run(work, ir, **feeds(inputs))["logits"].shape == (1, 2, 3)
    with pytest.raises(BadModel, match="no functions are called 'nothing'"):
        _import(work, source, outputs=("nothing",))
    with pytest.raises(BadModel, match="there is no input 'y'"):
        _import(work, source, inputs={"y": {"shape": [1]}})


@pytest.mark.interpreter
@pytest.mark.parametrize(
    ("code", "inputs", "reason"),
    [
        ("C.sequence.where(s)", {"s": ()}, "picked by what is in the sequence"),
        ("C.random.uniform_like(x)", {"x": (3,)}, "the functions RandomDistribution are not converted"),
        ("C.reduce_sum(x, axis=C.Axis.default_batch_axis())", {"x": (3,)}, "a reduction along the axes"),
    ],
    ids=["data-dependent steps", "random", "over the batch"],
)
def test_refusals_say_which_function(work: Any, code: str, inputs: dict[str, Any], reason: str) -> None:
    source = make(work, inputs, code)
    with pytest.raises(Unsupported, match=reason):
        _import(work, source)


@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_mutated_files(pool: WorkerPool, shared: Path, work: Any, name: str, seed: int) -> None:
    content = (shared / "made" / "cntk27" / f"{name}.model").read_bytes()
    source = work.source(model_model=mutated(content, seed))
    call = FRONTEND.import_call(Sniffed("cntk/model", "cntk", "model.model"), ImportOptions())
    with contextlib.suppress(BadModel, Unsupported):
        pool.run(call, {"source": source}, work.new_folder())


def test_coverage(work: Any) -> None:
    _, told = work(FRONTEND.operators_call(), {})
    assert told["operators"]["ReduceElements"]["support"] == "partial"
    assert told["operators"]["Plus"] == {"support": "full", "note": None}
    assert told["operators"]["LambdaRank"]["support"] == "none"
