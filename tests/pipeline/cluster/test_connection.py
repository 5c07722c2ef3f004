"""`--executor`, before any cluster is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlpipe.errors import ClusterUnreachable, ToolMissing, UserError
from dlpipe.pipeline.cluster.connection import Fault, Sent, connection
from tests.e2e.user import make_user


def test_local_is_no_connection() -> None:
    assert connection("local") is None


@pytest.mark.parametrize(
    "text", ["rays", "ray:/host", "ray://", "ray://host:port", "ray://host/path", "http://host", ""]
)
def test_what_is_no_executor_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--executor"):
        connection(text)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ToolMissing) as caught:
        connection("ray")
    assert caught.value.hint == "pip install -e '.[ray]' in the folder of dlpipe's sources"


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_ends_the_run(tmp_path: Path, model: Path) -> None:
    user = make_user(tmp_path)
    done = user.dlpipe("convert", model, "-t", "x86-64", "--json", "--executor", "ray://127.0.0.1:1")
    assert done.code == 2
    assert json.loads(done.out)["error"] == "ClusterUnreachable"
    assert "no Ray cluster answers at 127.0.0.1:1" in json.loads(done.out)["message"]


@pytest.mark.parametrize(
    ("name", "given", "means"),
    [
        ("LocalRayletDiedError", (), ClusterUnreachable),
        ("AuthenticationError", ("RPC error: WrongClusterID",), ClusterUnreachable),  # of a head that was started anew
        ("NodeDiedError", ("its node died",), Fault),
    ],
)
def test_whose_fault_it_is(name: str, given: tuple[str, ...], means: type[Exception]) -> None:
    errors = pytest.importorskip("ray.exceptions")

    def fails(*_: object, **__: object) -> None:
        raise getattr(errors, name)(*given)

    sent = Sent(SimpleNamespace(exceptions=errors, wait=fails), stream=iter(()))
    with pytest.raises(means, match=name):
        sent.hear(0.0)


def test_nothing_loads_ray_where_it_is_not_asked_for() -> None:
    code = "import sys, dlpipe.pipeline.session, dlpipe.pipeline.cluster.node; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
