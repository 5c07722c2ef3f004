"""The history of an artefact in a real MLflow tracking server."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.lineage import (
    ArtifactEntry,
    History,
    MeasurementEntry,
    PublicationEntry,
    RunEntry,
    StageEntry,
)
from dlpipe.pipeline.mlflow import export
from dlpipe.toolchains import Registry, Toolchains

pytestmark = pytest.mark.slow  # the server takes about 15 seconds to start

RUN = RunEntry(run="r-1", created="2026-11-23T12:00:00+00:00", command="dlpipe convert m.pb")
MADE = ArtifactEntry(digest="f" * 64, target="arm64", backend="tvm", variant="int8", verdict="passed")
HISTORY = History(
    artifact=MADE,
    run="r-1",
    stages=(
        StageEntry(stage="import", kind="import", key="1", output="a" * 64, toolchains={"core": "3d4d"}),
        StageEntry(stage="quantise:(1)", kind="pass", key="2", output="b" * 64, parameters={"seed": 1, "rest": [1, 2]}),
        StageEntry(stage="long", kind="pass", key="3", output="c" * 64, parameters={"names": ["x" * 10_000]}),
        *(StageEntry(stage=f"s{n}", kind="pass", key=str(n), output=f"{n:064}") for n in range(120)),
    ),
    sources={"d" * 64: "model", "e" * 64: "data"},
    measurements=(
        MeasurementEntry(subject=MADE.digest, name="size", value=1234, unit="bytes"),
        MeasurementEntry(subject=MADE.digest, name="latency_p50", value=1.5, unit="ms", provenance="emulated"),
        MeasurementEntry(subject=MADE.digest, name="throughput", value=None, provenance="absent", reason="emulated"),
        MeasurementEntry(subject="b" * 64, name="accuracy", value=0.93),
        MeasurementEntry(subject=MADE.digest, name="vectorised", value=True),
    ),
    publications=(
        PublicationEntry(subject=MADE.digest, kind="pushed", place="h/n:1", identity="sha256:1", created=""),
    ),
)


@pytest.fixture(scope="module")
def server(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    definitions = repo_root / "tests" / "toolchains" / "definitions"
    root = Toolchains(registry=Registry([definitions])).ensure("test-mlflow").root
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("mlflow")
    program = Path(__file__).with_name("mlflow_server.py")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([root / "bin" / "python", program, folder, str(port)], stdout=log, stderr=log)
    deadline = time.monotonic() + 300
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def read(server: str, run: str) -> Any:
    with urllib.request.urlopen(f"{server}/api/2.0/mlflow/runs/get?run_id={run}") as answer:
        return json.load(answer)["run"]


def values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in pairs}


def test_a_run_says_what_the_history_says(server: str) -> None:
    made = export(HISTORY, RUN, server, "deployment of nets")
    run = read(server, made["run_id"])
    assert (run["info"]["run_name"], run["info"]["status"]) == ("arm64-tvm-int8", "FINISHED")
    assert made["run_id"] in made["address"]
    assert values(run["data"]["metrics"]) == {
        "size": 1234,
        "emulated/latency_p50": 1.5,
        "quantise:_1_/accuracy": 0.93,
    }
    parameters, tags = values(run["data"]["params"]), values(run["data"]["tags"])
    assert (parameters["target"], parameters["backend"], parameters["variant"]) == ("arm64", "tvm", "int8")
    assert json.loads(parameters["stage/quantise:_1_"]) == {"seed": 1, "rest": [1, 2]}
    assert parameters["stage/long"].startswith("sha256:")
    assert len(parameters) == 3 + len(HISTORY.stages)
    assert (tags["dlpipe.artifact"], tags["dlpipe.run"], tags["toolchain.core"]) == (MADE.digest, "r-1", "3d4d")
    assert (tags["unit.size"], tags["dlpipe.pushed"]) == ("bytes", "h/n:1 (sha256:1)")
    given = {each["dataset"]["name"]: each["dataset"]["digest"] for each in run["inputs"]["dataset_inputs"]}
    assert given == {"model": "d" * 36, "data": "e" * 36}


def test_again_it_is_the_same_run(server: str) -> None:
    first = export(HISTORY, RUN, server, "again")
    later = replace(HISTORY, publications=(replace(HISTORY.publications[0], place="h/n:2"),))
    assert export(later, RUN, server, "again") == first
    assert values(read(server, first["run_id"])["data"]["tags"])["dlpipe.pushed"] == "h/n:2 (sha256:1)"
    other = replace(HISTORY, run="r-2")
    assert export(other, replace(RUN, run="r-2"), server, "again")["run_id"] != first["run_id"]


def test_what_is_no_server_is_said(server: str) -> None:
    with pytest.raises(UserError, match="no MLflow server answers"):
        export(HISTORY, RUN, "http://127.0.0.1:9", "x")
    with pytest.raises(UserError, match="no address"):
        export(HISTORY, RUN, "mlruns", "x")
    with pytest.raises(UserError, match="refused"):
        export(HISTORY, RUN, f"{server}/elsewhere", "x")
