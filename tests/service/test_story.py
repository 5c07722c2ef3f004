"""What users live through: submit, wait, fetch, run; and what happens when processes die in the middle of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.toolchains.jail.tree import processes
from tests.conftest import Bench
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, Service, alive, command_of, eventually, serving

pytestmark = pytest.mark.slow

NET = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 8] x) => (float[1, 4] y) {
  h = MatMul(x, w)
  y = Relu(h)
}"""
ASKED = ("-t", "x86-64", "-b", "onnxruntime", "--precision", "fp32")


@pytest.fixture(scope="module")
def model(bench: Bench) -> Path:
    return bench.build(NET, weights={"w": [8, 4]}) / "model.onnx"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("story")
    with serving(make_user(folder), folder / "data") as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(service: Service, model: Path) -> dict[str, Any]:
    """The job that the tests of this file look at; its output folder is `out` of the user's."""
    service.ok("submit", model, *ASKED, "--wait", "--out", "out", "--label", "first of all")
    (job,) = [each for each in service.ok("status", "--json").json if each["label"] == "first of all"]
    return dict(job)


def digests(folder: Path) -> dict[str, str]:
    """Of the artefact and the model, which are the same however often something was killed."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    return {name: each["sha256"] for name, each in files.items() if name.endswith(".onnx")}


def job_error(service: Service, model: str) -> str:
    (job,) = service.ok("status", "--search", model, "--json").json
    return str(job["error"]["message"])


def stages_done(service: Service, job: str) -> set[str]:
    lines = service.ask("GET", f"/jobs/{job}/logs").body.decode().splitlines()
    return {line.split()[1] for line in lines if line.startswith("ok ")}


def test_the_artefact_that_is_fetched_runs(service: Service, undisturbed: dict[str, Any], model: Path) -> None:
    assert (undisturbed["state"], undisturbed["exit_code"], undisturbed["attempt"]) == ("succeeded", 0, 1)
    out = service.user.folder / "out"
    (artefact,) = json.loads((out / "report.json").read_text())["artifacts"]
    assert artefact["verdict"] == "passed"
    assert (out / "selected" / "x86-64" / "run.json").is_file()
    service.user.ok("compare", model, out / artefact["path"])
    again = service.ok("fetch", undisturbed["id"], "--out", "again")
    assert "report: again/report.html" in again.out
    assert digests(service.user.folder / "again") == digests(out)


def test_its_events_and_its_log_tell_the_same_story(service: Service, undisturbed: dict[str, Any]) -> None:
    events = service.events(undisturbed["id"])
    assert [each["state"] for each in events if each["event"] == "JobState"] == ["queued", "running", "succeeded"]
    finished = {each["stage"] for each in events if each["event"] == "StageFinished" and each["cache"] == "miss"}
    assert {"import", "compile:x86-64/onnxruntime-fp32"} <= finished
    log = service.ok("logs", undisturbed["id"]).out
    assert finished == {line.split()[1] for line in log.splitlines() if line.startswith("ok ")}


def test_a_file_is_handed_out_in_parts(service: Service, undisturbed: dict[str, Any]) -> None:
    where = f"/jobs/{undisturbed['id']}/artifacts"
    name = next(name for name in service.ask("GET", where).json["files"] if name.endswith("model.onnx"))
    whole = service.ask("GET", f"{where}/{name}").body
    part = service.ask("GET", f"{where}/{name}", headers={"Range": "bytes=5-9"})
    assert (part.status, part.body) == (206, whole[5:10])
    page = service.ask("GET", f"/jobs/{undisturbed['id']}/report.html")
    assert "sandbox" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["../asked.json", "..%2fasked.json", "%2e%2e/asked.json", "/etc/passwd", "artifacts", "manifest.json", ""]
)
def test_no_other_file_is_handed_out(service: Service, undisturbed: dict[str, Any], path: str) -> None:
    answer = service.ask("GET", f"/jobs/{undisturbed['id']}/artifacts/{path}")
    assert answer.status == 404, answer.body


def test_nothing_tells_where_it_lies_on_the_server(service: Service, undisturbed: dict[str, Any]) -> None:
    job = undisturbed["id"]
    for part in ("", "/events", "/logs", "/report.json", "/report.html", "/artifacts"):
        text = service.ask("GET", f"/jobs/{job}{part}").body.decode()
        assert text
        assert str(service.data) not in text
        assert ADMINISTRATOR not in text


def test_another_team_sees_nothing_of_it(service: Service, undisturbed: dict[str, Any], model: Path) -> None:
    stranger = service.token("strangers", "read", "submit")
    assert service.ask("GET", "/jobs", token=stranger).json == {"jobs": [], "next": None}
    job = undisturbed["id"]
    for part in ("", "/events", "/logs", "/report.json", "/report.html", "/artifacts", "/artifacts/model.onnx"):
        theirs = service.ask("GET", f"/jobs/{job}{part}", token=stranger)
        nobodys = service.ask("GET", f"/jobs/job-{'0' * 16}{part}", token=stranger)
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body) == (404, theirs.body)
    for change in ("cancel", "retry"):
        assert service.ask("POST", f"/jobs/{job}/{change}", token=stranger).status == 404
    digest = service.upload(model.read_bytes())
    assert service.ask("HEAD", f"/uploads/{digest}", token=stranger).status == 404


def test_exit_codes_are_those_of_convert(service: Service, undisturbed: dict[str, Any], model: Path) -> None:
    """The store has the stages: only the gate is new."""
    broken = service.dlpipe("submit", model, *ASKED, "--max-size", "1B", "--wait", "--out", "gated")
    assert broken.code == 3, broken.err
    assert (service.user.folder / "gated" / "report.json").is_file()
    bad = service.user.folder / "bad.onnx"
    bad.write_bytes(b"{this is no model")
    refused = service.dlpipe("submit", bad, *ASKED, "--wait")
    assert refused.code == 2, refused.err
    assert "Traceback" not in refused.err
    assert refused.err.count(job_error(service, "bad.onnx")) == 1, "its log has said it"
    (job,) = service.ok("status", "--search", "bad.onnx", "--json").json
    assert (job["state"], job["attempt"]) == ("failed", 1), "what the user did wrong is not tried again"
    assert service.ok("retry", job["id"]).out == f"{job['id']}: queued\n"
    eventually(lambda: service.ask("GET", f"/jobs/{job['id']}").json["state"] == "failed")


@pytest.mark.parametrize("victim", ["worker", "server"])
def test_kill_minus_nine_costs_at_most_the_stage_that_ran(
    tmp_path: Path, service: Service, undisturbed: dict[str, Any], model: Path, victim: str
) -> None:
    with serving(make_user(tmp_path), tmp_path / "data", "--lease", 2) as mine:
        waiting = mine.begin("submit", model, *ASKED, "--wait", "--out", "out")
        job = eventually(lambda: mine.ask("GET", "/jobs").json["jobs"])[0]["id"]
        eventually(lambda: "import" in stages_done(mine, job))
        family = [each for each in processes(mine.worker()) if "dlpipe" in command_of(each)]
        assert len(family) > 1, "the job's process runs"
        if victim == "worker":
            os.kill(mine.worker(), signal.SIGKILL)
        else:
            mine.stop(signal.SIGKILL)
        eventually(lambda: not alive(family))
        if victim == "server":
            mine.start()
        _, err = waiting.communicate(timeout=600)
        assert waiting.returncode == 0, err + mine.log()
        events, last = mine.events(job), mine.ask("GET", f"/jobs/{job}").json["attempt"]
        assert last > 1
        (again,) = [
            e for e in events if e["event"] == "StageFinished" and e["stage"] == "import" and e["attempt"] == last
        ]
        assert again["cache"] == "hit", "it was finished before the kill"
        assert [e["state"] for e in events if e["event"] == "JobState"].count("succeeded") == 1
    assert digests(tmp_path / "work" / "out") == digests(service.user.folder / "out")


def test_cancelling_ends_every_process_of_the_job(tmp_path: Path, model: Path) -> None:
    with serving(make_user(tmp_path), tmp_path / "data") as mine:
        job = mine.ok("submit", model, *ASKED, "--json").json["id"]
        worker = mine.worker()
        jailed = lambda: [p for p in processes(worker) if "dlpipe_worker.py" in command_of(p)]  # noqa: E731
        eventually(jailed)
        family = [each for each in processes(worker) if each != worker]
        assert mine.ok("cancel", job).out == f"{job}: being cancelled\n"
        eventually(lambda: mine.ask("GET", f"/jobs/{job}").json["state"] == "cancelled")
        eventually(lambda: not alive(family))
        assert alive([worker]), "it waits for the next job"
        assert mine.dlpipe("submit", model, *ASKED, "--wait", "--time-limit", "1s").code == 4
        assert mine.ask("GET", "/jobs").json["jobs"][0]["error"]["error"] == "TimeLimit"


def test_a_server_that_is_stopped_loses_nothing_and_no_secret_reached_the_job(tmp_path: Path, model: Path) -> None:
    with serving(make_user(tmp_path), tmp_path / "data") as mine:
        job = mine.submit(model=_uploaded(mine, model)).json["id"]
        worker = mine.worker()
        child = eventually(lambda: next((p for p in processes(worker) if "service.child" in command_of(p)), None))
        assert ADMINISTRATOR.encode() not in Path(f"/proc/{child}/environ").read_bytes()
        family = list(processes(worker))
        assert mine.stop(signal.SIGTERM) == 0
        eventually(lambda: not alive(family))
        mine.options = ("--workers", 0)
        mine.start()
        assert mine.ask("GET", f"/jobs/{job}").json["state"] == "queued"
        mine.ask("POST", f"/jobs/{job}/cancel")
        states = [each for each in mine.events(job) if each["event"] == "JobState"]
        assert [each["state"] for each in states] == ["queued", "running", "queued", "cancelled"]
        assert states[2]["reason"] == "its worker was stopped"


def _uploaded(service: Service, model: Path) -> dict[str, Any]:
    return {"files": {"m.onnx": service.upload(model.read_bytes())}, "entry": "m.onnx"}


def test_it_does_not_start_where_there_is_no_jail(tmp_path: Path) -> None:
    """Seen through the server's own check, in a process in which no kind of jail works."""
    code = (
        "import importlib\n"
        "detect = importlib.import_module('dlpipe.toolchains.jail.detect')\n"
        "from dlpipe.toolchains.jail.kind import JailKind\n"
        "detect.attempt = lambda kind: detect.Trial(kind, kind is JailKind.PLAIN, 'not here')\n"
        "from dlpipe.cli.main import run\n"
        "import sys; sys.argv = ['dlpipe', 'serve', '--port', '0']\n"
        "run()\n"
    )
    user = make_user(tmp_path)
    environment = user.environment({"DLPIPE_DATA_DIR": str(tmp_path / "data"), "DLPIPE_TOKEN": ADMINISTRATOR})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert "network isolation" in done.stderr
    assert "--allow-unjailed" in done.stderr
