"""What dlpipe writes for TensorBoard and VisualDL, read by TensorBoard and VisualDL."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.report.log import LOG, log, write_call
from dlpipe.toolchains import Registry, Toolchains
from dlpipe.toolchains.pool import WorkerPool

from .factory import sample_report, views

pytestmark = pytest.mark.slow
DEFINITIONS = Path(__file__).parents[1] / "toolchains" / "definitions"
READER = DEFINITIONS / "tensorboard" / "worker.py"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    folder = tmp_path_factory.mktemp("trackers")
    known = Toolchains(registry=Registry([DEFINITIONS]))
    with WorkerPool(known, folder / "workers", keep_logs=folder / "logs") as pool:
        yield pool


def written(pool: WorkerPool, tracker: str, folder: Path) -> Path:
    given = folder / "given"
    given.mkdir(parents=True)
    (given / LOG).write_text(log(sample_report(views=views())), encoding="utf-8")
    pool.run(write_call(tracker), {"log": given}, folder / "logs")
    return folder / "logs"


def check_scalars_and_histograms(found: dict[str, Any]) -> None:
    assert set(found) == {
        "stages", "artefacts/arm64/onnxruntime-int8", "artefacts/arm64/tvm-fp32", "artefacts/arm64/ncnn-fp16",
        "models/import", "models/int8",
    }  # fmt: skip
    latencies = dict(found["stages"]["scalars"]["latency_p50/ms"])
    assert latencies == {0: pytest.approx(1.92), 1: pytest.approx(0.61), 2: pytest.approx(0.58), 3: pytest.approx(0.47),
                         4: pytest.approx(0.92), 5: pytest.approx(0.29)}  # fmt: skip
    assert "latency_p50/ms" not in found["artefacts/arm64/tvm-fp32"]["scalars"]  # emulated: no speed is claimed
    assert dict(found["models/int8"]["scalars"]["layer-error"]) == {0: pytest.approx(0.01), 2: pytest.approx(0.2)}
    counts = found["models/import"]["histograms"]["conv/kernel"]
    assert [each for each in counts if each] == [2, 10, 4]


def test_tensorboard_reads_scalars_histograms_and_the_graph(pool: WorkerPool, tmp_path: Path) -> None:
    logs = written(pool, "tensorboard", tmp_path)
    found = pool.run(Call("test-tensorboard", READER, "read"), {"logs": logs}, tmp_path / "read")
    check_scalars_and_histograms(found)
    graph = found["models/import"]["graph"]
    assert graph == {"net/conv_0": [], "net/conv_0_1": ["net/conv_0"], "softmax": ["net/conv_0_1"]}

    again = written(pool, "tensorboard", tmp_path / "again")
    files = sorted(each.relative_to(logs) for each in logs.rglob("*") if each.is_file())
    assert all((again / each).read_bytes() == (logs / each).read_bytes() for each in files)


def test_visualdl_reads_scalars_and_histograms(pool: WorkerPool, tmp_path: Path) -> None:
    logs = written(pool, "visualdl", tmp_path)
    found = pool.run(Call("visualdl", READER, "read_visualdl"), {"logs": logs}, tmp_path / "read")
    check_scalars_and_histograms(found)


def test_no_log_holds_what_is_no_number() -> None:
    assert math.isfinite(sample_report().seconds or 0.0)
    assert "NaN" not in log(sample_report(views=views()))
