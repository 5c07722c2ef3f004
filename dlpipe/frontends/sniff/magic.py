"""Formats that say what they are in their first bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from .found import Found
from .keras_files import HDF5, in_hdf5
from .packed import in_gzip, in_tar, in_zip
from .pickles import PICKLE_HEADS, pickled

_MAGIC = (
    (4, b"TFL3", "tflite/model", "a TFLite model"),
    (4, b"ORTM", "onnx/ort", "a model in ONNX Runtime's own format"),
    (0, struct.pack("<Q", 0x112), "mxnet/params", "an MXNet list of arrays"),
    (0, b"7767517\n", "ncnn/param", "an ncnn network as text"),
    (0, b"7767517\r\n", "ncnn/param", "an ncnn network as text"),
    (0, struct.pack("<I", 7767517), "ncnn/param-binary", "an ncnn network in binary, without names"),
    (0, b"\x00B<Nnet3>", "kaldi/nnet3", "a Kaldi nnet3 network"),
    (0, b"\x00B<TransitionModel>", "kaldi/nnet3", "a Kaldi acoustic model"),
    (0, b"\x00B<Nnet> <NumComponents>", "kaldi/nnet2", "a Kaldi nnet2 network"),
    (0, b"\x00B<Nnet>", "kaldi/nnet1", "a Kaldi nnet1 network"),
    (0, b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner", "xgboost/ubj", "an XGBoost model (UBJSON)"),
    (0, b"binf", "xgboost/binary", "an XGBoost model in the binary format that XGBoost dropped"),
    (0, b"B3\n", "cntk/v1", "a CNTK version 1 model"),
)

_TEXT_PICKLES = (b"(dp0", b"(lp0", b"(dp1", b"(lp1")
# What tells no more by its beginning than who has to look into it.
_LOOKED_INTO: tuple[tuple[int, bytes, Callable[[Path, bytes], Found]], ...] = (
    (0, HDF5, lambda path, _: in_hdf5(path)),
    (0, b"PK\x03\x04", lambda path, _: in_zip(path)),
    (0, b"\x1f\x8b", lambda path, _: in_gzip(path)),
    (257, b"ustar", lambda path, _: in_tar(path)),
    *((0, each, pickled) for each in (*PICKLE_HEADS, *_TEXT_PICKLES)),
)


def by_magic(path: Path, head: bytes) -> Found | None:
    for offset, magic, form, title in _MAGIC:
        if head.startswith(magic, offset):
            return Found(form, title)
    look = next((look for offset, magic, look in _LOOKED_INTO if head.startswith(magic, offset)), None)
    return look(path, head) if look is not None else None


def has_magic(head: bytes) -> bool:
    """Whether `by_magic` would find something, which it may have to look into the file for."""
    begins = [(offset, magic) for offset, magic, *_ in _MAGIC] + [(offset, magic) for offset, magic, _ in _LOOKED_INTO]
    return any(head.startswith(magic, offset) for offset, magic in begins)
