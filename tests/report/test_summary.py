from __future__ import annotations

from dlpipe.report import Report, markdown, summary

from .factory import sample_report, stage


def test_a_run_from_the_cache_says_so() -> None:
    cached = tuple(each.model_copy(update={"cache": "hit"}) for each in sample_report().stages if each.status == "ok")
    skipped = stage("extra", "pass", (), status="skipped", cache=None, reason="not asked for")

    def took(*stages: object, seconds: float | None = 0.088) -> str | None:
        return summary.took(sample_report(stages=stages, seconds=seconds))

    assert took(*cached, skipped) == "answered from the cache in 0.1 s"
    assert took(*cached, skipped, seconds=12.3) == "answered from the cache in 12.3 s"
    assert took(*cached, stage("new", "pass", ()), seconds=2.0) == "took 2.00 s"
    assert took(*cached, stage("bad", "pass", (), status="failed", cache=None, reason="no"), seconds=2) == "took 2.00 s"
    assert took(seconds=0.5) == "took 500 ms"
    assert took(*cached, seconds=None) is None


def named(path: str) -> Report:
    return sample_report(source=sample_report().source.model_copy(update={"path": path}))


def test_the_model_is_called_by_its_base_name() -> None:
    assert summary.model(named("/home/someone/nets/model.onnx")) == "model.onnx"
    assert summary.model(named("nets/saved/")) == "saved"
    assert summary.model(named(".")) == "."


def test_what_was_built_and_could_not_run_is_not_nothing() -> None:
    report = sample_report()
    built = [each for each in report.artifacts if each.digest][:1]
    update = {"verdict": "unverified", "reason": "nothing here can execute it", "target": "riscv64"}
    only = sample_report(artifacts=tuple(each.model_copy(update=update) for each in built), selected={})
    assert summary.headline(only) == summary.Headline("unverified", "Built but not verified for", "riscv64")


def test_with_no_labels_the_agreement_is_told() -> None:
    report = sample_report()
    assert summary.agreement(report) is None  # it is labelled
    bare = {"accuracy": None, "accuracy_reason": "no labelled data was given"}
    artifacts = [
        each.model_copy(update={**bare, "fidelity": each.fidelity.model_copy(update={"argmax_agreement": 0.9875})})
        for each in report.artifacts
        if each.fidelity is not None
    ]
    stages = tuple(stage.model_copy(update=bare) for stage in report.stages)
    unlabelled = report.model_copy(update={"stages": stages, "artifacts": tuple(artifacts)})
    told = summary.agreement(unlabelled)
    assert told is not None
    assert "onnxruntime int8 98.8 %" in told
    assert "the largest score is the original's" in " ".join(markdown.render_markdown(unlabelled).split())
