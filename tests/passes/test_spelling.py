"""Passes and their parameters as a user writes them."""

from __future__ import annotations

import pytest

from dlpipe.contracts.passes import ChosenPass
from dlpipe.errors import UserError
from dlpipe.passes.spelling import parse_passes

SAID = {
    "clean": [("clean", {})],
    " fuse , clean,": [("fuse", {}), ("clean", {})],
    "opset:version=17": [("opset", {"version": 17})],
    "opset:version=17,clean": [("opset", {"version": 17}), ("clean", {})],
    "specialise:batch=1,height=224,fuse": [("specialise", {"dims": {"batch": 1, "height": 224}}), ("fuse", {})],
    "extract:inputs=a:0,inputs=/b/c,outputs=d": [("extract", {"inputs": ["a:0", "/b/c"], "outputs": ["d"]})],
    "simplify:seconds=5": [("simplify", {"seconds": 5})],
    "": [],
}
WRONG = {
    "opset:version=new": "whole number",
    "opset:17": "gives no value",
    "opset:set=17": "no parameter 'set'",
    "specialise:batch=x": "whole number",
    "clena": "no pass 'clena'",
    "version=17": "no pass",
    "simplify:seconds=-1": "seconds takes 1 or more, not -1",
    "prune-channels:macs=1.5": "macs takes 0 to 1, not 1.5",
    "fine-tune:temperature=0": "temperature takes above 0, not 0",
    "fine-tune:holdout=1": "holdout takes 0 to below 1, not 1",
    "prune-weights:sparsity=1": "sparsity takes between 0 and 1, not 1",
    "quantize-weights:bits=5": "bits takes 4 or 8, not 5",
    "quantize-int8:method=median": "method takes auto, minmax, percentile, entropy, mse, mean, not median",
}


@pytest.mark.parametrize("text", SAID)
def test_what_is_said(text):
    assert parse_passes(text) == tuple(ChosenPass(name, params) for name, params in SAID[text])


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong(text):
    with pytest.raises(UserError, match=WRONG[text]):
        parse_passes(text)


def test_a_part_of_a_name_is_enough_to_be_told_the_whole():
    with pytest.raises(UserError) as caught:
        parse_passes("int8")
    assert caught.value.hint == "did you mean quantize-int8?"
