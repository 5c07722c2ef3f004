"""Which passes may be taken back, and what is left of the recipe then."""

from __future__ import annotations

from typing import Any

from dlpipe.passes.recipes import recipe
from dlpipe.pipeline.compress.tails import begun, gaining


def described(size: int, macs: int | None = 100) -> dict[str, Any]:
    return {"size_bytes": size, "macs": macs}


def test_a_training_belongs_to_the_pass_before_it() -> None:
    fast = [described(500, 50), described(501, 50), described(130, 50), described(130, 50)]
    assert gaining(fast) == [2]
    assert gaining([described(500)]) == []
    assert gaining([described(500, 100), described(500, 60)]) == [1]
    assert gaining([described(500, None), described(499, None)]) == []


def test_what_is_left_is_a_recipe_of_the_precision_that_it_reaches() -> None:
    fast = recipe("fast")
    left = begun(fast, fast.steps, 2)
    assert left.name == "fast-without-quantize-int8"
    assert [step.name for step in left.steps] == ["prune-channels", "fine-tune"]
    assert (left.precision, left.judged_as) == ("fp32", "retrained")
    more = begun(fast, fast.steps, 3)
    assert (more.precision, len(more.steps)) == ("int8", 3)
    assert len(fast.steps) == 4
