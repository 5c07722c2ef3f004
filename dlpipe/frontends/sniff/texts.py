"""Formats that are text."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from .found import Found
from .keras_files import written_by

_COMMENTS = rb"\A\s*(#[^\n]*\n\s*)*"
_TEXTS = (
    (rb"\A\s*<(Nnet3|TransitionModel)>", "kaldi/nnet3", "a Kaldi nnet3 network as text"),
    (rb"\A\s*<Nnet>\s*<NumComponents>", "kaldi/nnet2", "a Kaldi nnet2 network as text"),
    (rb"\A\s*<Nnet>", "kaldi/nnet1", "a Kaldi nnet1 network as text"),
    (rb"\A\s*(#[^\n]*\n\s*)*version\s+\d+\.\d+\s*;", "nnef/text", "an NNEF graph"),
    (rb"\Atree\r?\nversion=", "lightgbm/text", "a LightGBM model"),
    (rb"\A\s*([#;][^\n]*\n\s*)*\[(net|network)\]\s*\n", "darknet/cfg", "a Darknet network"),
    (rb"\A\s*MNN", "mnn/text", "an MNN model as text"),
    (_COMMENTS + rb"node\s*\{", "tensorflow/graphdef-text", "a TensorFlow GraphDef as text"),
    (_COMMENTS + rb"(ir_version|producer_name)\s*:", "onnx/text", "an ONNX model as text"),
)
# Caffe's and Caffe2's texts both may begin with a name; what follows tells.
_PROTO = re.compile(
    _COMMENTS
    + rb"(name|input|input_dim|input_shape|state|force_backward|layers?|op|type|external_\w+|net|base_lr)\s*[:{]"
)
# Of many empty lines only the last one counts, or a file of nothing else would take a second.
_CAFFE2 = re.compile(rb"(^|\n)[^\S\n]*(op|external_input|external_output)\s*[:{]")
_CAFFE = re.compile(rb"(^|\n)[^\S\n]*(layers?\s*\{|input\s*:|input_dim\s*:|input_shape\s*\{)")
_SOLVER = re.compile(rb"(^|\n)[^\S\n]*(base_lr|test_iter|max_iter)\s*:")
_MOST_JSON = 256 << 20
_PYTHON = re.compile(rb"(^|\n)(import |from \S+ import |def \w+\(|class \w+[(:])")


def by_text(path: Path, head: bytes) -> Found | None:
    return _json(path) if may_be_json(head) else by_words(head)


def may_be_json(head: bytes) -> bool:
    """What it is, only the whole of it tells."""
    return head.lstrip()[:1] == b"{" and b"\x00" not in head


def by_words(head: bytes) -> Found | None:
    """Of text that is no JSON."""
    if b"\x00" in head:
        return None
    for pattern, form, title in _TEXTS:
        if re.match(pattern, head):
            return Found(form, title)
    if _PROTO.match(head):
        return _proto(head)
    if _PYTHON.search(head):
        return Found("python/source", "Python source, which names no model by itself")
    return None


def _proto(head: bytes) -> Found | None:
    if _SOLVER.search(head):
        return Found("caffe/solver", "a Caffe solver, which tells how to train and holds no network")
    if _CAFFE2.search(head) and not re.search(rb"(^|\n)[^\S\n]*layers?\s*\{", head):
        types = re.findall(rb'\btype:\s*"(\w+)"', head)
        if types and all(name.endswith(b"Fill") for name in types):
            return Found("caffe2/init-net", "a Caffe2 init net as text, which holds weights only")
        return Found("caffe2/netdef-text", "a Caffe2 NetDef as text")
    return Found("caffe/prototxt", "a Caffe network") if _CAFFE.search(head) else None


def _json(path: Path) -> Found | None:
    if path.stat().st_size > _MOST_JSON:
        return None
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return _by_keys(value) if isinstance(value, dict) else None


def _by_keys(value: dict[str, Any]) -> Found | None:
    keys = set(value)
    if {"nodes", "heads"} <= keys:
        nodes = value["nodes"] if isinstance(value["nodes"], list) else []
        names = [node.get("op") for node in nodes if isinstance(node, dict)]
        operators = Counter(name for name in names if isinstance(name, str) and name != "null")
        return Found("mxnet/symbol", "an MXNet symbol", operators=operators)
    if "learner" in keys:
        return Found("xgboost/json", "an XGBoost model", version=".".join(map(str, value.get("version") or [])) or None)
    if {"class_name", "config"} <= keys:
        return Found("keras/json", "a Keras architecture", version=written_by(value))
    if "base_code" in keys and "program" in keys:
        return Found("paddle/json", "a PaddlePaddle program (PIR)")
    return None
