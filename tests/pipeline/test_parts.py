"""A training as a chain of stages: killed anywhere, it goes on behind the last part that was finished."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import UserError
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.parts import in_parts
from dlpipe.pipeline.stage import Stage
from dlpipe.toolchains import Toolchains


def stage(**params: object) -> Stage:
    call = pass_call("fine-tune", **params)
    return Stage("tuned", "pass", call, {"ir": "fp32", "train": "data", "teacher": "fp32"}, required=False)


def test_each_part_takes_over_the_state_of_the_one_before():
    one, two, last = in_parts(stage(parts=3))
    assert [each.id for each in (one, two, last)] == ["tuned@1", "tuned@2", "tuned"]
    assert [each.inputs.get("state") for each in (one, two, last)] == [None, "tuned@1", "tuned@2"]
    assert [each.call.operation for each in (one, two, last)] == ["advance", "advance", "apply"]
    assert [each.call.params.get("until") for each in (one, two, last)] == [1 / 3, 2 / 3, None]
    assert not any(each.required for each in (one, two, last))


def test_passes_that_do_not_come_in_parts_are_one_stage():
    whole = Stage("clean", "pass", pass_call("clean"), {"ir": "fp32"})
    assert in_parts(whole) == [whole]
    assert len(in_parts(stage(parts=1))) == 1
    with pytest.raises(UserError, match="parts=0"):
        in_parts(stage(parts=0))


RUN = """
    import sys
    from pathlib import Path
    from dlpipe.passes.registry import pass_call
    from dlpipe.pipeline.events import StageFinished
    from dlpipe.pipeline.parts import in_parts
    from dlpipe.pipeline.session import Session
    from dlpipe.pipeline.stage import Stage

    def tell(event):
        if isinstance(event, StageFinished):
            print(event.stage, event.cache, event.status, flush=True)

    with Session(listeners=[tell]) as session:
        trees = {name: "tree:" + session.store.ingest(Path(sys.argv[1]) / name).digest for name in ("ir", "train")}
        call = pass_call("fine-tune", epochs=30, hard=1.0, soft=0.0, batch=8, parts=5, processes=1)
        session.executor.run(in_parts(Stage("tuned", "pass", call, trees)))
        session.store.export(session.executor.outcomes["tuned"].output, Path(sys.argv[1]) / "made")
"""
NET = """(float[N,6] x) => (float[N,3] y) { h = Gemm(x, w, b)  r = Relu(h)  y = Gemm(r, v, c) }"""
WEIGHTS = {"w": [6, 16], "b": [16], "v": [16, 3], "c": [3]}


@pytest.fixture
def folder(bench, tmp_path: Path) -> Path:
    """`ir` and `train` in it."""
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {NET}', weights=WEIGHTS))
    shutil.copytree(ir, tmp_path / "ir")
    (tmp_path / "train").mkdir()
    x = np.random.default_rng(0).normal(size=(500, 1, 6)).astype(np.float32)
    np.savez(tmp_path / "train" / "samples.npz", x=x)
    labels = x[:, 0, :3].argmax(1).tolist()
    (tmp_path / "train" / "labels.json").write_text(json.dumps({"labels": labels}))
    return tmp_path


def test_a_killed_run_goes_on(bench, folder: Path, toolchains: Toolchains):
    toolchains.ensure("training")
    cache = folder / "cache"
    cache.mkdir()
    (cache / "toolchains").symlink_to(toolchains.root)
    environ = {**os.environ, "DLPIPE_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(folder)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("tuned@2 "):
                process.kill()
        assert process.wait() == -signal.SIGKILL
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.splitlines() == [
        "tuned@1 hit ok",
        "tuned@2 hit ok",
        "tuned@3 miss ok",
        "tuned@4 miss ok",
        "tuned miss ok",
    ]
    call = pass_call("fine-tune", epochs=30, hard=1.0, soft=0.0, batch=8, processes=1)
    _, whole = bench.run(call, ir=folder / "ir", train=folder / "train")
    assert (folder / "made" / "model.onnx").read_bytes() == (whole / "model.onnx").read_bytes()
