"""Stages on a real Ray cluster of three machines, which share a folder and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dlpipe.pipeline.store.remote import VARIABLE
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.jail.tree import processes
from tests.e2e.user import User, make_user
from tests.service.running import alive, command_of, eventually, serving

from .machines import ADDRESS, Cluster, smallest, why_not

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("driver.py")


@pytest.fixture
def user(tmp_path: Path) -> User:
    return make_user(tmp_path)


class Driver:
    """`driver.py` on the head or another machine, and what it says."""

    def __init__(
        self, cluster: Cluster, user: User, *args: object, machine: str | None = None, **environment: str
    ) -> None:
        given = {**cluster.environment, "RAY_ADDRESS": ADDRESS, **environment}
        self.log = user.folder / "driver.log"
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                cluster.command(sys.executable, DRIVER, *args, machine=machine),
                env=user.environment(given),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.said: list[dict[str, Any]] = []

    def hear(self, wanted: Callable[[dict[str, Any]], bool] = lambda _said: False) -> dict[str, Any]:
        """The first thing said that is wanted, or the last thing."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))
            if wanted(self.said[-1]):
                return self.said[-1]
        assert self.said, self.log.read_text()
        return self.said[-1]

    def messages(self) -> list[str]:
        return [each["message"] for each in self.said if "message" in each]

    def nodes(self) -> list[str]:
        """On which the stage was begun."""
        return [each.removeprefix("on node ") for each in self.messages() if each.startswith("on node ")]

    def send(self, number: signal.Signals) -> None:
        """To the program itself, not to the one that put it into its namespaces."""
        _, program = processes(self.process.pid)
        os.kill(program, number)


@contextmanager
def driving(
    cluster: Cluster, user: User, *args: object, machine: str | None = None, **environment: str
) -> Iterator[Driver]:
    driver = Driver(cluster, user, *args, machine=machine, **environment)
    try:
        yield driver
    finally:
        for process in alive(processes(driver.process.pid)):
            os.kill(process, signal.SIGKILL)
        driver.process.communicate()


def is_computing(said: dict[str, Any]) -> bool:
    return said.get("message") == "waiting"


def tools(cluster: Cluster) -> list[int]:
    """The workers of toolchains on all nodes."""
    found = [each for machine in cluster.machines.values() for each in alive(processes(machine.init))]
    return [each for each in found if "dlpipe_worker.py" in command_of(each)]


def test_a_conversion_gives_what_it_gives_without_a_cluster(cluster: Cluster, tmp_path: Path, model: Path) -> None:
    asked = ("convert", model, "-t", "x86-64", "-b", "onnxruntime", "--precision", "fp32", "--json")
    here, there = make_user(tmp_path / "here"), make_user(tmp_path / "there")
    alone = here.ok(*asked, "--out", tmp_path / "alone").json
    done = subprocess.run(
        cluster.command(*there.command(*asked, "--out", tmp_path / "together", "--executor", f"ray://{ADDRESS}")),
        env=there.environment(cluster.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    together = json.loads(done.stdout)
    assert [each["digest"] for each in together["artifacts"]] == [each["digest"] for each in alone["artifacts"]]
    stages = [
        json.loads((user.cache / "runs" / run / "stages.json").read_text())
        for user, run in ((here, alone["run"]), (there, together["run"]))
    ]
    assert {name: each["key"] for name, each in stages[0].items()} == {
        name: each["key"] for name, each in stages[1].items()
    }  # a key names all inputs, so what came before was the same too
    events = (there.cache / "runs" / together["run"] / "events.jsonl").read_text()
    assert "on node large" in events
    assert "on node head" not in events


@pytest.mark.parametrize("shared", ["folder", "bucket"])
def test_a_stage_is_told_of_as_it_goes_and_found_again(
    cluster: Cluster, user: User, worker: Path, tmp_path: Path, shared: str
) -> None:
    environment = {VARIABLE: f"file://{tmp_path}/bucket"} if shared == "bucket" else {}
    for cache in ("miss", "hit"):
        with driving(cluster, user, worker, "wait", '{"seconds": 0}', **environment) as driver:
            last = driver.hear()
            assert (last.get("value"), last.get("cache"), last.get("records")) == ({"waited": 0}, cache, 1), driver.said
            assert ("waiting" in driver.messages()) == (cache == "miss")
            assert ("it waits" in driver.messages()) == (cache == "miss")
    assert bool(list(cluster.folder.glob("cache-*/remote/*/store"))) == (shared == "bucket")


def test_what_a_tool_refuses_is_refused_here(cluster: Cluster, user: User, worker: Path) -> None:
    with driving(cluster, user, worker, "refuse", "{}") as driver:
        last = driver.hear()
        assert (last["error"], last["where"]["op"]) == ("BadModel", "Conv")
        assert last["where"]["ray_node"] in cluster.machines


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_a_run_ends_its_tools(cluster: Cluster, user: User, worker: Path, how: signal.Signals) -> None:
    with driving(cluster, user, worker, "wait", '{"seconds": 600}') as driver:
        driver.hear(is_computing)
        assert tools(cluster)
        driver.send(how)
        eventually(lambda: not tools(cluster))
        driver.hear()
        assert driver.process.wait(60) != 0


def test_a_service_has_its_jobs_computed_there(cluster: Cluster, tmp_path: Path, model: Path) -> None:
    user = make_user(tmp_path)
    with serving(user, tmp_path / "data", "--workers", 0) as service, (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            cluster.command(*user.command("worker", "--executor", f"ray://{ADDRESS}")),
            env=user.environment({**cluster.environment, "DLPIPE_DATA_DIR": str(service.data)}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            service.ok("submit", model, "-t", "x86-64", "-b", "onnxruntime", "--precision", "fp32", "--wait")
            (job,) = service.ask("GET", "/jobs").json["jobs"]
            assert job["state"] == "succeeded"
            events = service.events(job["id"])
            assert "on node large" in {each.get("message") for each in events}
            nodes = {each["stage"]: each["node"] for each in events if each["event"] == "StageFinished"}
            assert nodes["import"] in cluster.machines
            assert nodes["timing"] is None, "it depends on the machine, and stays"
        finally:
            for process in alive(list(processes(worker.pid))):
                os.kill(process, signal.SIGKILL)
            worker.wait()


def test_a_node_that_is_not_there_is_named(cluster: Cluster, user: User, worker: Path) -> None:
    with driving(cluster, user, worker, "wait", "{}", "onnxruntime-cuda", DLPIPE_RAY_WAIT="1") as driver:
        last = driver.hear()
    assert last["error"] == "ClusterTrouble"
    assert "has 1 GPU, which stage needs" in last["message"]


def test_a_cluster_obeys_only_who_has_its_token(cluster: Cluster, user: User, worker: Path) -> None:
    other = {"RAY_AUTH_TOKEN": "f" * 64, "RAY_NUM_REDIS_GET_RETRIES": "2"}
    with driving(cluster, user, worker, "wait", "{}", **other) as driver:
        last = driver.hear()
    assert last["error"] == "ClusterUnreachable", driver.said
    assert "InvalidAuthToken" in driver.log.read_text()


def test_a_stage_of_a_node_that_dies_is_computed_by_another(cluster: Cluster, user: User, worker: Path) -> None:
    with driving(cluster, user, worker, "wait", '{"seconds": 3}') as driver:
        driver.hear(is_computing)
        [victim] = driver.nodes()
        machine = cluster.machines[victim]
        os.kill(machine.raylet(), signal.SIGKILL)
        last = driver.hear()
    assert (last.get("value"), last.get("records")) == ({"waited": 3}, 1), driver.said
    assert len(last["faults"]) == 1
    assert len(set(driver.nodes())) == 2


def test_a_run_whose_head_is_gone_says_so(user: User, worker: Path, tmp_path: Path, toolchains: Toolchains) -> None:
    """Before Ray ends its process, which would look like a fault of the job's."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    toolchains.ensure("base")
    with smallest(tmp_path) as cluster:
        options = ("wait", "{}", "onnxruntime-cuda")  # no node has a GPU: it waits
        with driving(cluster, user, worker, *options, machine="small", DLPIPE_RAY_WAIT="600") as driver:
            driver.hear(lambda said: said.get("message") == "waits for a node of the cluster")
            assert cluster.head is not None
            cluster.head.end()
            last = driver.hear()
    assert last.get("error") == "ClusterUnreachable", driver.log.read_text()[-2000:]
