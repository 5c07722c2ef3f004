"""Formats that say what they are in their first bytes."""

from __future__ import annotations

import struct
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
    (0, b"\x00B<Nnet>", "kaldi/nnet1", "a Kaldi nnet1 network"),
    (0, b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner", "xgboost/ubj", "an XGBoost model (UBJSON)"),
    (0, b"binf", "xgboost/binary", "an XGBoost model in the binary format that XGBoost dropped"),
    (0, b"B3\n", "cntk/v1", "a CNTK version 1 model"),
)


def by_magic(path: Path, head: bytes) -> Found | None:
    for offset, magic, form, title in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return Found(form, title)
    if head[: len(HDF5)] == HDF5:
        return in_hdf5(path)
    if head[:4] == b"PK\x03\x04":
        return in_zip(path)
    if head[:2] == b"\x1f\x8b":
        return in_gzip(path)
    if head[257:262] == b"ustar":
        return in_tar(path)
    if head[:2] in PICKLE_HEADS or head[:4] in (b"(dp0", b"(lp0", b"(dp1", b"(lp1"):
        return pickled(path, head)
    return None
