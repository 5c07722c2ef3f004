"""The zoo's models by their recipes, on the machine's own processor: there speed is measured, not only fidelity."""

from __future__ import annotations

import pytest

from dlpipe.pipeline.zoo import zoo_models
from tests.e2e.user import User


def test_every_model_says_where_it_comes_from_and_is_there() -> None:
    models = zoo_models()
    assert {"mlperf-tiny-kws", "arm-kws-ds-cnn-s"} <= {model.name for model in models}
    for model in models:
        assert model.model.exists()
        assert model.data is None or model.data.is_file()
        assert model.licence.startswith("Apache-2.0")
        assert len(model.commit) == 40


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_native_target_is_timed_and_the_fastest_is_chosen(settled_user: User) -> None:
    report = settled_user.ok("zoo", "run", "mlperf-tiny-kws", "-t", "x86-64", "--json").json
    expected = next(gate for gate in report["gates"] if gate["name"] == "expected-top-1")
    assert expected["passed"]
    native = [each for each in report["artifacts"] if each["verdict"] == "passed"]
    assert {each["ran_on"] for each in native} == {"native"}
    assert {each["provenance"] for each in native} == {"measured"}
    timed = {each["path"]: each["cost"]["latency_p50"]["value"] for each in native}
    assert all(isinstance(value, float) for value in timed.values())
    chosen = report["selected"]["x86-64"]
    assert chosen["basis"] == "measured-latency"
    assert timed[chosen["path"]] == min(timed.values())
    for each in native:
        assert {speedup["baseline"] for speedup in each["speedups"]} == {"original", "reference-runtime"}
