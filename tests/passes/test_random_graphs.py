"""Every exact pass alone, and all standard ones in a row, on random graphs: the outputs stay, nodes do not become
more, and a second run finds nothing to do."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlpipe.passes.registry import STANDARD, pass_info, passes

from .random_nets import cases

EXACT = [name for name in passes() if (info := pass_info(name)).exact and not info.needs and not info.changes_interface]
GROWS = {"decompose", "unroll", "simplify", "opset"}
NOT_DONE_AT_ONCE = {"simplify"}  # onnxsim's own
TOLERANCE = 1e-4  # of an output's largest number, behind at most a dozen operators


# No shrinking: an example takes two seconds, and shrinking would take hundreds of them.
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(case=cases(), alone=st.lists(st.sampled_from(EXACT), min_size=4, max_size=4, unique=True))
def test_outputs_stay(case: dict[str, Any], alone: list[str], try_many: Any) -> None:
    plan = [*([name] for name in alone), list(STANDARD)]
    params = {"simplify": {"seconds": 60}, "unroll": {"limit": 2000}, "opset": {"version": 24}}
    for chain in try_many({"net": case}, plan, params, {"N": 3})["net"]:
        nodes = chain[0]["nodes"]
        for step in chain[1:]:
            assert "raised" not in step, step
            assert "refused" not in step, step
            assert isinstance(step["error"], float), step
            assert step["error"] <= TOLERANCE, step
            assert step["nodes"] <= nodes or step["pass"] in GROWS, step
            assert not step["again"] or step["pass"] in NOT_DONE_AT_ONCE, step
            nodes = step["nodes"]
