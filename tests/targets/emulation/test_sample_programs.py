"""An artefact's run.py gives the model's answers where the artefact is executed: on a software device, under qemu."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import StageFailed
from dlpipe.targets.registry import backend, target

GUEST = Path(__file__).with_name("sample_guest.py")
IN_ITS_PLACE = {"code": {"guest/sample.py": GUEST.read_text(encoding="utf-8")}, "guest": "guest.sample"}
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")
slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ncnn", "vulkan"),
        pytest.param("tvm", "opencl", marks=slow),
        pytest.param("onnxruntime", "arm64", marks=slow),
        pytest.param("litert", "armv7", marks=slow),
        pytest.param("ncnn", "riscv64", marks=slow),
    ],
)
def test_it_answers_as_the_model_does(work, models, name, place):
    tool, there, model = backend(name), target(place), models("branches")
    inputs = {"artifact": work.built(tool, there, model), "samples": model.samples}
    out, _ = work(tool.run_call(there, "fp32"), inputs, **IN_ITS_PLACE)
    with np.load(out / "outputs.npz") as found:
        assert model.apart([found[f"arr_{number}"] for number in range(len(found.files))]) <= 1e-5


def test_an_input_that_the_file_lacks_is_named(work, models, tmp_path):
    """No zeros are taken in its place."""
    tool, there, model = backend("ncnn"), target("vulkan"), models("branches")
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    with np.load(model.samples / "samples.npz") as samples:
        np.savez(fewer / "samples.npz", **{name: samples[name] for name in samples.files if name != "b"})
    inputs = {"artifact": work.built(tool, there, model), "samples": fewer}
    with pytest.raises(StageFailed, match=r"given\.npz lacks the input b$"):
        work(tool.run_call(there, "fp32"), inputs, **IN_ITS_PLACE)


def test_without_a_vulkan_device_it_says_so(work, models):
    """And does not compute on the processor in its place."""
    tool, there, model = backend("ncnn"), target("vulkan"), models("branches")
    inputs = {"artifact": work.built(tool, there, model), "samples": model.samples}
    with pytest.raises(StageFailed, match="there is no Vulkan device: install the driver"):
        work(tool.run_call(there, "fp32"), inputs, **IN_ITS_PLACE, folders={})
