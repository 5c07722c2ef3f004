"""Models whose weights lie in files of their own: what a pass leaves alone is handed on, not copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.ir.calls import check_call, describe_call
from dlpipe.passes.registry import pass_call

MAKER = Path(__file__).parents[2] / "benchmarks" / "large_model" / "worker.py"
WEIGHTS = 8
WEIGHT = 4 * 4096 * 4096  # bytes
DATA = "model.onnx.data"


def made(bench, scaled: int) -> Path:
    return bench.run(Call("core", MAKER, "make", {"gigabytes": WEIGHTS / 16, "scaled": scaled}))[1]


@pytest.fixture(scope="module")
def large(bench):
    return made(bench, 4)


def sizes(ir: Path) -> dict[str, int]:
    """In weights: what offsets take beside them is less than one."""
    return {path.name: path.stat().st_size // WEIGHT for path in ir.iterdir() if path.name.startswith(DATA)}


def data_of(ir: Path, name: str = DATA) -> np.ndarray:
    return np.memmap(ir / name, np.uint8, "r")


@pytest.mark.parametrize("name", ["simplify", "fold-constants", "fuse", "layout", "clean"])
def test_weights_that_stay_are_handed_on(name, large, bench):
    samples = bench.samples(large, 1)
    value, out = bench.run(pass_call(name), ir=large)
    assert value["modified"]
    assert sizes(out) == {DATA: WEIGHTS}
    assert np.array_equal(data_of(out), data_of(large))
    assert (out / "model.onnx").stat().st_size < 2 << 20
    assert bench.run(check_call(), ir=out)[0]["valid"]
    before, after = bench.outputs(large, samples), bench.outputs(out, samples)
    assert np.abs(before["y"] - after["y"]).max() < 1e-5


def test_changed_weights_go_to_a_second_file_and_dead_ones_go_with_clean(large, bench):
    samples = bench.samples(large, 1)
    value, folded = bench.run(pass_call("fold-batchnorm"), ir=large)
    assert sum("(Mul)" in change for change in value["changes"]) == 2
    assert sizes(folded) == {DATA: WEIGHTS, f"{DATA}.2": 2}
    value, clean = bench.run(pass_call("clean"), ir=folded)
    assert f"{2 * WEIGHT} bytes of data files that no weight uses" in value["changes"]
    assert sizes(clean) == {DATA: 6, f"{DATA}.2": 2}
    assert not bench.run(pass_call("clean"), ir=clean)[0]["modified"]
    before = bench.outputs(large, samples)["y"]
    for ir in (folded, clean):
        assert np.abs(before - bench.outputs(ir, samples)["y"]).max() < 1e-5
        assert bench.run(describe_call(), ir=ir)[0]["size_bytes"] > sum(sizes(ir).values()) * WEIGHT


def test_a_file_of_which_little_lives_is_not_handed_on(bench):
    ir = made(bench, 1)
    value, out = bench.run(pass_call("fold-batchnorm"), ir=ir)
    assert len(value["changes"]) == 2 * WEIGHTS
    assert sizes(out) == {DATA: WEIGHTS}
    assert not np.array_equal(data_of(out), data_of(ir))


def test_untouched_models_are_handed_on_whole(large, bench):
    value, out = bench.run(pass_call("unroll"), ir=large)
    assert not value["modified"]
    assert (out / "model.onnx").read_bytes() == (large / "model.onnx").read_bytes()
    assert sizes(out) == sizes(large)


def test_same_bytes_again(large, bench):
    outs = [bench.run(pass_call("fold-batchnorm"), ir=large)[1] for _ in range(2)]
    assert (outs[0] / "model.onnx").read_bytes() == (outs[1] / "model.onnx").read_bytes()
    assert np.array_equal(*(data_of(out, f"{DATA}.2") for out in outs))


def test_weights_elsewhere_are_refused(large, bench, tmp_path):
    """A file that is too short, as a damaged cache or a hostile frontend leaves it."""
    from dlpipe.errors import BadModel

    for path in large.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() if path.name != DATA else b"")
    with pytest.raises(BadModel, match="lies beyond the end"):
        bench.run(pass_call("clean"), ir=tmp_path)
