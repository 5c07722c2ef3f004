"""tract's cases: what is standard NNEF imports and matches, what is an extension is refused by its name."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported


@pytest.fixture
def cases(shared: Path, tmp_path: Path) -> Path:
    with tarfile.open(shared / "models/tract_nnef_cases/tract_nnef_cases.tar.gz") as archive:
        archive.extractall(tmp_path / "cases", filter="data")
    return tmp_path / "cases"


def outcome(nnef: Any, model: Path) -> str:
    """ "imports", or the operation that it is refused for."""
    entry = "." if model.name == "graph.nnef" else model.name
    try:
        ir = nnef.ir(model.parent, entry)
    except (BadModel, Unsupported) as error:
        return f"{error.where.get('op')}: {error.message}"
    data = model.parent / "io.npz"
    if not data.is_file():
        return "imports"
    contract = json.loads((ir / "contract.json").read_text())
    with np.load(data) as file:
        arrays = {name: file[name] for name in file.files}
    feeds = {each["name"]: arrays[each["name"]][None].astype(each["dtype"]) for each in contract["inputs"]}
    found = nnef.outputs(ir, nnef.samples({"inputs": []}, feeds))
    for each in contract["outputs"]:
        wanted = arrays[each["source"]].astype(np.float64)
        gap = np.abs(found[each["name"]][0].astype(np.float64) - wanted).max()
        assert gap <= 1e-3 * (np.ptp(wanted) or 1), (model, each["name"], gap)
    return "matches"


MATCH = 16  # with tract's own outputs: resize, ScatterND, any_reduce, 13 convolutions of four-bit weights
IMPORT = {
    "cmp-operators", "copy-identity", "copy-requant", "gather-elements-last-axis", "parallel-matmul", "pool-padding",
    "q40_linear_followed_slice", "reshape_with_bc", "slice-over-slice-optim-loop", "submodel/nnet1.nnef.tar",
    "submodel/nnet2",
}  # fmt: skip
NOT_NNEF = {  # names that are read before, or assigned twice: tract's parser lets them pass
    "conv-then-shape-of-mask", "pulse-sync-inputs-multi-delay", "sdpa/simple-grouped-query-att-f32/model.nnef.tgz",
    "slice-of-static-with-streaming-size", "variable-in-fragment",
}  # fmt: skip


def test_all(nnef: Any, cases: Path) -> None:
    found = {}
    for model in sorted(cases.rglob("*")):
        if model.name == "graph.nnef" or model.suffix in (".tgz", ".tar"):
            name = model.relative_to(cases).as_posix().removesuffix("/graph.nnef")
            found[name] = outcome(nnef, model)
    assert len(found) == 53
    assert sum(each == "matches" for each in found.values()) == MATCH
    assert {name for name, each in found.items() if each == "imports"} == IMPORT
    refused = {name: each for name, each in found.items() if each not in ("matches", "imports")}
    assert {name for name, each in refused.items() if not each.startswith("tract_")} == NOT_NNEF
    assert refused["sdpa/simple-f16"].startswith("tract_transformers_sdpa")


@pytest.mark.parametrize("name", ["pool-padding", "cmp-operators", "reshape_with_bc", "test_any_reduce"])
def test_khronos_runtime_says_the_same(nnef: Any, cases: Path, name: str) -> None:
    """Tensors that are spelled out, operators and fragments without their extensions being named."""
    folder = cases / name
    entry = "." if (folder / "graph.nnef").is_file() else "model.nnef.tgz"
    assert nnef.run(folder, entry=entry).difference() < 1e-6
