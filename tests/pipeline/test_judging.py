"""`dlpipe gate`'s verdict on reports: limits hold for what ships, regressions are those beyond noise."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.errors import UserError
from dlpipe.measure.statistics import wilson
from dlpipe.pipeline.accepted import accept, accepted_file, find_accepted
from dlpipe.pipeline.judging import judge
from dlpipe.pipeline.limits import UserLimits
from dlpipe.report import Artifact, Gate, Report, Samples, Selected
from tests.report.factory import artifact, sample_report, stage

N = 2000
Answers = Any  # [N] bool


def answers(wrong: int, *, first: int = 0) -> Answers:
    right = np.ones(N, np.bool_)
    right[first : first + wrong] = False
    return right


def shipped(right: Answers, *, speedup: float = 2.0, kept: bool = True, **more: Any) -> Artifact:
    correct = base64.b64encode(np.packbits(right).tobytes()).decode() if kept else None
    total = int(right.sum())
    score = Accuracy(
        metric="top-1", value=total / N, ci95=wilson(total, N), n=N, drop=0.0, drop_ci95=(-0.1, 0.1), correct=correct
    )
    ratio = Speedup(
        baseline="reference-runtime", value=speedup, ci95=(speedup * 0.98, speedup * 1.02), provenance="measured"
    )
    values = {"ran_on": "native", "provenance": "measured", "accuracy": score, "speedups": (ratio,), **more}
    return artifact("onnxruntime", "int8", fidelity_reason="not of interest here", **values)


def report(*artifacts: Artifact, chosen: int | None = 0, **changes: Any) -> Report:
    pick = artifacts[chosen] if chosen is not None else None
    selected = {"arm64": Selected(path=pick.path, basis="measured-latency")} if pick else {}
    values: dict[str, Any] = {
        "artifacts": artifacts,
        "gates": (),
        "selected": selected,
        "samples": Samples(count=N, source="clips/", labelled=N, digest="aa" * 32),
        **changes,
    }
    return sample_report(**values)


def verdicts(accepted: Report | None, run: Report, **limits: str) -> dict[str, bool | None]:
    return {each.name: each.passed for each in judge(run, accepted, UserLimits.parse(**limits)).gates}


def broken(accepted: Report | None, run: Report, **limits: str) -> list[str]:
    return [each.name for each in judge(run, accepted, UserLimits.parse(**limits)).broken]


def test_an_unchanged_model_is_no_regression() -> None:
    run = report(shipped(answers(100)))
    assert broken(run, run) == []
    assert all(passed for passed in verdicts(run, run).values())


def test_a_point_lost_on_the_same_samples_trips_and_says_which_test() -> None:
    judged = judge(report(shipped(answers(120))), report(shipped(answers(100))), UserLimits())
    assert [each.name for each in judged.broken] == ["accuracy-regression"]
    assert judged.error is not None
    assert "20 became wrong and 0 right" in str(judged.error)
    assert judged.error.exit_code == 3


def test_as_many_that_flip_back_are_no_loss() -> None:
    assert broken(report(shipped(answers(100))), report(shipped(answers(100, first=20)))) == []


def test_without_the_answers_or_on_other_samples_the_intervals_decide() -> None:
    other = Samples(count=N, source="more/", labelled=N, digest="bb" * 32)
    for accepted in (report(shipped(answers(100), kept=False)), report(shipped(answers(100)), samples=other)):
        assert broken(accepted, report(shipped(answers(120)))) == []  # a point within the intervals
        assert broken(accepted, report(shipped(answers(200)))) == ["accuracy-regression"]
        gate = next(each for each in judge(report(shipped(answers(120))), accepted, UserLimits()).gates
                    if each.name == "accuracy-regression")  # fmt: skip
        assert "by the intervals" in (gate.reason or "")


def test_of_an_error_more_is_worse() -> None:
    def of(value: float) -> Report:
        score = Accuracy(metric="rmse", value=value, ci95=(value - 0.1, value + 0.1), n=N, unit=None, better="lower")
        return report(shipped(answers(0)).model_copy(update={"accuracy": score}))

    assert broken(of(1.0), of(1.5)) == ["accuracy-regression"]
    assert broken(of(1.5), of(1.0)) == []


def test_slower_on_the_same_machine_trips() -> None:
    accepted = report(shipped(answers(0), speedup=2.0))
    assert broken(accepted, report(shipped(answers(0), speedup=1.4))) == ["latency-regression"]
    assert broken(accepted, report(shipped(answers(0), speedup=1.95))) == []


def test_another_machine_or_another_reference_gives_no_verdict_on_speed_and_says_why() -> None:
    accepted, slow = report(shipped(answers(0))), shipped(answers(0), speedup=1.0)
    environment = sample_report().environment
    assert environment is not None
    elsewhere = environment.model_copy(update={"machine": {**environment.machine, "cpu": "Another CPU"}})
    run = report(slow, environment=elsewhere)
    gate = next(each for each in judge(run, accepted, UserLimits()).gates if each.name == "latency-regression")
    assert gate.passed is None
    assert "another machine (cpu Some CPU -> Another CPU)" in (gate.reason or "")
    assert broken(accepted, run) == []
    stages = (stage("import", "import", (), output="11" * 32),)
    assert verdicts(accepted, report(slow, stages=stages))["latency-regression"] is None


def test_a_model_that_was_trained_anew_is_held_to_its_speed() -> None:
    def run(output: str, structure: str | None, speedup: float) -> Report:
        stages = (stage("import", "import", (), output=output * 32, structure=structure),)
        return report(shipped(answers(0), speedup=speedup), stages=stages)

    accepted = run("11", "graph", 2.0)
    judged = judge(run("22", "graph", 1.4), accepted, UserLimits())
    assert [each.name for each in judged.broken] == ["latency-regression"]
    assert "of the same graph (its weights are others)" in str(judged.error)
    assert verdicts(accepted, run("22", "graph", 1.95))["latency-regression"] is True
    for other in ("another graph", None):
        assert verdicts(accepted, run("22", other, 1.4))["latency-regression"] is None
    assert verdicts(run("11", None, 2.0), run("22", None, 1.4))["latency-regression"] is None


def test_a_byte_more_is_more() -> None:
    accepted = report(shipped(answers(0), size_bytes=1000))
    assert broken(accepted, report(shipped(answers(0), size_bytes=1001))) == ["size-regression"]
    assert broken(accepted, report(shipped(answers(0), size_bytes=999))) == []


def test_what_is_chosen_may_change_without_an_alarm_but_not_vanish() -> None:
    small = shipped(answers(0), size_bytes=1000)
    large = small.model_copy(update={"size_bytes": 9000, "path": "artifacts/arm64/tvm-fp32", "backend": "tvm"})
    assert broken(report(small, large), report(small, large, chosen=1)) == []
    failed = small.model_copy(update={"verdict": "failed", "reason": "ran, but wrong"})
    assert broken(report(small, large), report(failed, large, chosen=1)) == ["verdict-regression"]
    assert "shipped" in broken(report(small), report(failed, chosen=None))


def test_limits_hold_for_what_ships_and_what_cannot_be_told_breaks_them() -> None:
    run = report(shipped(answers(0), size_bytes=1000))
    assert broken(None, run, max_size="1kB") == []
    assert broken(None, run, max_size="999B") == ["max-size"]
    assert broken(None, run, max_latency="10ms") == ["max-latency"]  # no latency is in this report
    assert judge(run, None, UserLimits()).error is None


def test_what_the_original_was_held_against_holds_too() -> None:
    expected = Gate(name="expected-top-1", subject="reference", limit=0.9, value=0.5, passed=False)
    assert broken(None, report(shipped(answers(0)), gates=(expected,))) == ["expected-top-1"]


def test_an_accepted_run_may_be_worse_but_must_keep_the_limits() -> None:
    accepted, run = report(shipped(answers(0))), report(shipped(answers(500)))
    assert judge(run, accepted, UserLimits(), accepting=True).broken == ()
    limits = UserLimits.parse(max_size="1B")
    assert [each.name for each in judge(run, accepted, limits, accepting=True).broken] == ["max-size"]


def test_the_accepted_run_is_kept_per_model_and_in_a_file_where_one_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path / "cache"))
    run = report(shipped(answers(0)))
    assert find_accepted(run, None) is None
    assert accept(run, None) == accepted_file(run)
    found = find_accepted(run, None)
    assert found is not None
    assert found.to_json() == run.to_json()
    other = run.model_copy(update={"source": run.source.model_copy(update={"path": "elsewhere/other.pb"})})
    assert find_accepted(other, None) is None
    retrained = run.model_copy(update={"source": run.source.model_copy(update={"sha256": "0" * 64})})
    assert find_accepted(retrained, None) is not None

    file = str(tmp_path / "baselines" / "accepted.json")
    with pytest.raises(UserError):
        find_accepted(run, file)
    accept(run, file)
    assert find_accepted(run, file) is not None
    (tmp_path / "theirs.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is not a dlpipe"):
        accept(run, str(tmp_path / "theirs.json"))
