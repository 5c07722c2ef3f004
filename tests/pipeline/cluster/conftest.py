"""One cluster for all tests of this folder: a start takes long. And code that is not dlpipe's own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.conftest import Bench

from . import machines

WORKER = """
    import time
    from pathlib import Path
    from dlpipe_worker import Refused, operation
    from . import words

    @operation
    def wait(request):
        request.progress("waiting", 0.5)
        request.note("it waits")
        time.sleep(request.params["seconds"])
        (Path(request.out) / "said").write_text(words.SAID)
        return {"waited": request.params["seconds"]}

    @operation
    def refuse(request):
        raise Refused("no such luck", node="conv1", op="Conv")
"""

NET = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 8] x) => (float[1, 4] y) {
  h = MatMul(x, w)
  y = Relu(h)
}"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, toolchains: Toolchains) -> Iterator[machines.Cluster]:
    if (reason := machines.why_not()) is not None:
        pytest.skip(reason)
    toolchains.ensure("base")
    with machines.cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    path = tmp_path / "room" / "worker.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(WORKER))
    path.with_name("words.py").write_text('SAID = "waited"\n')
    return path


@pytest.fixture(scope="session")
def model(bench: Bench) -> Path:
    return bench.build(NET, weights={"w": [8, 4]}) / "model.onnx"
