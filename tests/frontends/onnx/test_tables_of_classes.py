"""Classifiers as scikit-learn and Core ML export them: texts in, texts and dictionaries out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dlpipe.ir.calls import describe_call
from tests.frontends.onnx.conftest import Try

HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 2]>'
CLASSIFIER = "coefficients=[1.0,-1.0,0.5,2.0,0.0,1.0], intercepts=[0.1,0.2,-0.3], multi_class=1"


@pytest.mark.parametrize(
    ("key", "labels", "zipped"),
    [
        ("int64", "classlabels_ints=[4,2,9]", "classlabels_int64s=[4,2,9]"),
        ("string", 'classlabels_strings=["no","a","yes"]', 'classlabels_strings=["no","a","yes"]'),
    ],
)
def test_dictionaries_become_a_tensor_with_columns_in_the_order_of_the_file(
    try_text: Try, bench: Any, key: str, labels: str, zipped: str
) -> None:
    """ONNX Runtime's dictionaries are sorted by their keys."""
    tried = try_text(
        f"{HEAD} g (float[N,2] x) => ({key}[N] label, seq(map({key}, float)) scores) {{"
        f"label, s = ai.onnx.ml.LinearClassifier<{CLASSIFIER}, {labels}>(x)"
        f"scores = ai.onnx.ml.ZipMap<{zipped}>(s) }}"
    )
    assert tried.value["kind"] == "original"
    assert "a column for each class" in tried.notes[0]
    assert tried.reference["scores"].shape == tried.outputs["scores"].shape == (3, 1, 3)
    assert np.array_equal(tried.reference["scores"], tried.outputs["scores"])
    assert (tried.reference["label"] == tried.outputs["label"]).all()
    contract = json.loads((tried.ir / "contract.json").read_bytes())
    assert [each["shape"] for each in contract["outputs"]] == [["N"], ["N", 3]]


def test_categories_are_made_up_of_those_that_each_column_has(try_text: Try) -> None:
    """Another column's would be an error in the encoder."""
    encoder = "ai.onnx.ml.OneHotEncoder<cats_strings=[{}], zeros=0>"
    tried = try_text(
        f"{HEAD} g (string[N,1] a, string[N,1] b) => (float[N,1,2] y, float[N,1,2] z) <int64[1] i = {{0}},"
        "int64[1] j = {1}> { both = Concat<axis=1>(a, b)"
        "p = ai.onnx.ml.ArrayFeatureExtractor(both, i) q = ai.onnx.ml.ArrayFeatureExtractor(both, j)"
        f"y = {encoder.format(chr(34) + 'red' + chr(34) + ',' + chr(34) + 'green' + chr(34))}(p)"
        f"z = {encoder.format(chr(34) + 'old' + chr(34) + ',' + chr(34) + 'new' + chr(34))}(q) }}",
    )
    assert set(tried.samples["a"].ravel()) <= {"red", "green"}
    assert set(tried.samples["b"].ravel()) <= {"old", "new"}
    assert (tried.outputs["y"].sum(-1) == 1).all()


def test_an_attribute_that_is_no_number_is_described(try_text: Try, bench: Any) -> None:
    """What JSON does not have: ended in an internal error."""
    tried = try_text(
        f"{HEAD} g (float[N,1] x) => (float[N,1] y)"
        "{ y = ai.onnx.ml.Imputer<imputed_value_floats=[30.0], replaced_value_float=nan>(x) }"
    )
    nodes = bench.run(describe_call(), ir=tried.ir)[0]["nodes"]
    assert nodes[0]["attributes"]["replaced_value_float"] == "nan"
