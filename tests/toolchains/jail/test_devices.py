"""A device file is there for toolchains that ask for its kind, and for no other. Any device will do for that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlpipe.toolchains.jail import devices
from dlpipe.toolchains.manager import Toolchains
from tests.toolchains.jail.conftest import Bench

DEVICE = Path("/dev/fuse")
LOOK = """
found = os.path.exists(request.params["device"])
if found:
    os.close(os.open(request.params["device"], os.O_RDWR))
return [found, os.environ.get("CUDA_VISIBLE_DEVICES")]
"""


@pytest.mark.parametrize("asked", [True, False])
def test_only_who_asks_for_a_device_sees_it(asked, isolating_kind, environment, new_pool, tmp_path, monkeypatch):
    if not DEVICE.is_char_device() or not os.access(DEVICE, os.R_OK | os.W_OK):
        pytest.skip(f"not run: {DEVICE} cannot be opened on this machine")
    monkeypatch.setattr(devices, "KINDS", {"nvidia": (str(DEVICE), "/dev/there-is-no-such-device*")})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    kinds = ("nvidia",) if asked else ()
    bench = Bench(new_pool(isolating_kind, environment, devices=kinds), tmp_path)
    assert bench.run(LOOK, device=str(DEVICE)) == ([True, "1"] if asked else [False, None])


def test_without_such_a_device_there_is_nothing_to_see():
    assert all(path.is_char_device() for path in devices.nodes(["nvidia"]))


def test_what_computes_on_gpus_asks_for_them_and_nothing_else_does():
    """Not what imports and converts: the workers that read models see no device."""
    toolchains = Toolchains()
    asking = {name for name in toolchains.registry.names() if toolchains.registry.get(name).devices}
    assert "training" in asking
    assert not asking & {"base", "core", "ncnn", "tvm", "tensorflow", "machinecode"}
    assert asking - {"training"} <= {"ncnn-gpu", *(name for name in asking if "cuda" in name or "tensorrt" in name)}
