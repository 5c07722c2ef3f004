"""Files that are often taken for a model that dlpipe reads, and what to give in their place."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from .found import Found

_HEADS = (
    (
        rb"GGUF",
        "gguf/model",
        "GGUF, the weights of a language model without a graph: give the model it was made of",
    ),
    (
        rb"[fp]trt",
        "tensorrt/engine",
        "a compiled TensorRT engine, which cannot be read back: give the model it was made of",
    ),
    (rb"version https://git-lfs\.", "git-lfs/pointer", "a Git LFS pointer in the model's place: run `git lfs pull`"),
    (
        rb"(?i)\s*<(!doctype\s+html|html)\b",
        "web/page",
        "a web page in the model's place: the download went wrong",
    ),
    (rb"\x7fELF", "program/elf", "a program or a library"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8|BM....\x00\x00\x00\x00", "data/image", "a picture: data goes with --data"),
)
_CORE_ML = "a Core ML model, which dlpipe makes and does not read: give the model it was made of"


def by_head(path: Path, head: bytes) -> Found | None:
    for pattern, form, title in _HEADS:
        if re.match(pattern, head, re.DOTALL):
            return Found(form, title)
    if head[8:9] == b"{" and len(head) > 8:  # the header's length comes first
        (size,) = struct.unpack("<Q", head[:8])
        if size <= path.stat().st_size - 8 and b'"data_offsets"' in head:
            advice = "load them into their PyTorch network, and give its torch.save with --factory FILE.py:FUNCTION"
            return Found("safetensors/weights", f"safetensors, which hold weights alone: {advice}")
    return None


def core_ml(head: bytes) -> Found | None:
    """Asked last, for it begins as ONNX does: a version (field 1), then a message (2) that begins with another."""
    return Found("coreml/model", _CORE_ML) if re.match(rb"\x08[\x01-\x14]\x12.{1,3}\x0a", head, re.DOTALL) else None


def in_folder(path: Path) -> Found | None:
    if (path / "Manifest.json").is_file() and (path / "Data" / "com.apple.CoreML").is_dir():
        return Found("coreml/package", _CORE_ML)
    return None
