"""How near a model is to its reference, in words."""

from __future__ import annotations

from dlpipe.cli.output import agreement


def test_what_could_not_be_compared_is_not_called_equal() -> None:
    open_ = {"passed": None, "max_rel": None, "max_abs": None, "tolerance": 1e-4, "reason": "y: no number to compare"}
    assert agreement(open_, "torch 2.13.0") == "NOT verified against torch 2.13.0: y: no number to compare"
