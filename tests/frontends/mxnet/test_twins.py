"""MTCNN's nets, once in Caffe and once in MXNet: the same weights, the same outputs for the same picture.

Caffe's were trained on columns-first pictures in RGB, MXNet's were made for rows-first ones in BGR: the layout trap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.caffe import CaffeFrontend
from dlpipe.ir import calls

from .conftest import Import, load


@pytest.mark.parametrize(("name", "size"), [("det1", 12), ("det1", 25), ("det2", 24)])
def test_the_same_answers(shared: Path, imported: Import, work: Any, name: str, size: int) -> None:
    folder = shared / "models/mtcnn_caffe_mxnet"
    shape = [3, 3, size, size + (2 if name == "det1" else 0)]  # not square where that may be
    picture = (np.random.default_rng(3).integers(0, 256, shape).astype(np.float32) - 127.5) * 0.0078125
    model = imported(
        folder / f"{name}-symbol.json", folder / f"{name}-0001.params", inputs={"data": {"shape": [-1, *shape[1:]]}}
    )
    ours = model.run(model.samples({"data": picture[None]}))
    turned = np.ascontiguousarray(picture[:, ::-1].transpose(0, 1, 3, 2))
    theirs = _caffe(work, folder, name, turned)
    found = {each[0].shape[1]: each[0] for each in ours.values()}
    wanted = {each[0].shape[1]: each[0] for each in theirs.values()}
    assert sorted(found) == sorted(wanted) == [2, 4]
    for width, array in found.items():
        other = wanted[width] if array.ndim == 2 else wanted[width].transpose(0, 1, 3, 2)
        np.testing.assert_allclose(array, other, atol=2e-5)
    # And not without the turn.
    straight = _caffe(work, folder, name, picture)
    assert (
        max(np.abs(each[0].ravel()[:3] - wanted[each[0].shape[1]].ravel()[:3]).max() for each in straight.values())
        > 1e-3
    )


def _caffe(work: Any, folder: Path, name: str, picture: Any) -> dict[str, Any]:
    frontend, sniffed = CaffeFrontend(), Sniffed("caffe/prototxt", "caffe", f"{name}.prototxt")
    source = work.source(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")
    options = ImportOptions(inputs={"data": {"shape": list(picture.shape)}})
    ir, _ = work(frontend.import_call(sniffed, options), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", data=picture[None])
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    return load(out / "outputs.npz")
