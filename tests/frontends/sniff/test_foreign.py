"""What is often taken for a model: told for what it is, with what to give in its place."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from dlpipe.frontends.sniff import sniff_call

_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
FOREIGN = {
    "gguf/model": b"GGUF" + struct.pack("<IQQ", 3, 0, 0),
    "safetensors/weights": struct.pack("<Q", len(_HEADER)) + _HEADER + bytes(8),
    "tensorrt/engine": b"ftrt" + bytes(100),
    "git-lfs/pointer": b"version https://git-lfs.example/spec/v1\noid sha256:ab\nsize 12\n",
    "web/page": b"\n<!DOCTYPE html><html><body>404</body></html>",
    "data/image": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "coreml/model": b"\x08\x04\x12\x20\x0a\x0a\x0a\x04data\x1a\x02\x2a\x00" + bytes(18),
}


@pytest.mark.parametrize(("form", "content"), FOREIGN.items())
def test_files(work: Any, form: str, content: bytes) -> None:
    folder = work.new_folder()
    (folder / "model.onnx").write_bytes(content)
    _, value = work(sniff_call("model.onnx"), {"source": folder})
    assert value["format"] == form
    assert len(value["reason"]) > 25


def test_a_core_ml_package(work: Any) -> None:
    folder = work.new_folder()
    (folder / "Data" / "com.apple.CoreML").mkdir(parents=True)
    (folder / "Manifest.json").write_text("{}")
    _, value = work(sniff_call("."), {"source": folder})
    assert value["format"] == "coreml/package"
