"""Traces: what a request asked for, its job and the stages of that are one, wherever they ran."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlpipe.errors import ToolMissing, UserError
from dlpipe.service.tracing import spans
from tests.conftest import Bench
from tests.e2e.user import make_user

from .collector import collecting
from .running import Service, eventually, serving

TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NET = '<ir_version: 8, opset_import: ["" : 17]> net (float[1, 8] x) => (float[1, 8] y) { y = Relu(x) }'
KEY = "a-collectors-key-of-a-test"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def otel() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="not run: needs dlpipe[otel]")


def ended(service: Service, job: str) -> str:
    def state() -> str | None:
        found = str(service.ask("GET", f"/jobs/{job}").json["state"])
        return found if found in ("succeeded", "failed") else None

    return str(eventually(state))


@pytest.mark.slow
def test_a_request_its_job_and_the_stages_are_one_trace(otel: None, tmp_path: Path, bench: Bench) -> None:
    model = (bench.build(NET) / "model.onnx").read_bytes()
    with collecting() as collector:
        given = {**SOON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        given["OTEL_EXPORTER_OTLP_HEADERS"] = f"api-key={KEY}"
        with serving(make_user(tmp_path), tmp_path / "data", **given) as service:
            asked = {
                "model": {"files": {"secret-name.onnx": service.upload(model)}, "entry": "secret-name.onnx"},
                "targets": ["x86-64"],
                "backends": ["onnxruntime"],
                "precision": "fp32",
            }
            answer = service.ask("POST", "/jobs", asked, headers={"traceparent": f"00-{TRACE}-{CLIENT}-01"})
            job = answer.json["id"]
            assert ended(service, job) == "succeeded"
            service.ask("GET", f"/jobs/{job}?hidden=secret-name")
            assert service.ask("GET", "//nowhere").status == 404
        ours = [each for each in collector.spans if each.trace == TRACE]
        (asking,) = (each for each in ours if each.name == "POST /api/v1/jobs")
        assert (asking.parent, asking.service) == (CLIENT, "dlpipe-api")
        assert asking.said == {
            "http.request.method": "POST",
            "http.route": "/api/v1/jobs",
            "http.response.status_code": 201,
        }
        (attempt,) = (each for each in ours if each.name == "job")
        assert (attempt.parent, attempt.service, attempt.failed) == (asking.id, "dlpipe-worker", False)
        assert (attempt.said["dlpipe.job"], attempt.said["dlpipe.attempt"]) == (job, 1)
        assert attempt.said["dlpipe.ended"] == "succeeded"
        (wait,) = (each for each in ours if each.name == "wait")
        assert wait.parent == attempt.id
        assert (wait.end - wait.begin) / 1e9 == pytest.approx(attempt.said["dlpipe.queue_seconds"], abs=0.01)
        stages = [each for each in ours if each.name.startswith("stage ")]
        assert {each.parent for each in stages} == {attempt.id}
        told = {each.said["dlpipe.stage"]: each for each in stages}
        assert len(told) == len(stages)
        assert set(told) == {e["stage"] for e in events(service, job) if e["event"] == "StageFinished"}
        imported = told["import"]
        assert (imported.name, imported.failed, imported.said["dlpipe.stage.ended"]) == ("stage import", False, "ok")
        assert (imported.said["dlpipe.stage.cache"], imported.said["dlpipe.stage.tool"]) == ("miss", "core")
        assert all(each.begin <= each.end for each in ours)
        assert collector.named("GET /api/v1/jobs/{id}")
        assert collector.keys == {KEY}
        assert not [each for each in collector.spans if "secret-name" in repr(each) or job in each.name]
        assert KEY not in service.log()


def events(service: Service, job: str) -> list[dict[str, str]]:
    text = "".join(path.read_text() for path in (service.data / "jobs" / job).rglob("events.jsonl"))
    return [json.loads(line) for line in text.splitlines()]


def test_a_collector_that_does_not_answer_fails_nothing(otel: None, tmp_path: Path) -> None:
    given = {**SOON, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}
    with serving(make_user(tmp_path), tmp_path / "data", "--log-format", "text", **given) as service:
        job = service.submit().json["id"]
        assert ended(service, job) == "failed"
        assert service.ask("GET", f"/jobs/{job}").json["error"]["error"] == "BadModel"
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_the_standard_variables_turn_it_on(given: dict[str, str], wanted: bool) -> None:
    assert spans.wanted(given) is wanted


def test_off_there_is_nothing() -> None:
    with spans.span("x", "internal", {}, parent=f"00-{TRACE}-{CLIENT}-01") as span:
        span.set({"a": 1})
        span.was("y", 0.0, 1.0, {})
        assert (spans.traceparent(), spans.ids()) == (None, {})
    code = (
        "import sys, dlpipe.service.server, dlpipe.service.worker;"
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "given", [{"OTEL_TRACES_EXPORTER": "console"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}], ids=str
)
def test_what_there_is_not_is_refused(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=next(iter(given.values()))):
        spans.start("x")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ToolMissing) as caught:
        spans.start("x")
    assert caught.value.hint == "pip install -e '.[otel]' in the folder of dlpipe's sources"


def test_a_log_line_names_its_span(otel: None, tmp_path: Path) -> None:
    with collecting() as collector:
        code = (
            "import logging\n"
            "from dlpipe.service.loglines import log_to_stderr\n"
            "from dlpipe.service.tracing import spans\n"
            "log_to_stderr('json'); spans.start('x')\n"
            "with spans.span('one', 'internal', {}): logging.error('within')\n"
            "logging.error('without'); spans.stop()"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=make_user(tmp_path).environment({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}),
            capture_output=True,
            text=True,
            check=True,
        )
    within, without = map(json.loads, done.stderr.splitlines())
    (span,) = collector.spans
    assert (within["trace_id"], within["span_id"]) == (span.trace, span.id)
    assert "trace_id" not in without
