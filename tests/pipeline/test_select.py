"""The choice: never slower than another that passed, and the report says by how much the others lose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlpipe.contracts.figure import Figure
from dlpipe.pipeline.select import select
from dlpipe.report.schema import Artifact
from dlpipe.report.summary import runners_up


def artifact(number: int, size: int, latency: float | None, verdict: str = "passed") -> Artifact:
    cost = {"latency_p50": Figure.absent("emulated", "ms")}
    if latency is not None:
        cost["latency_p50"] = Figure(value=latency, unit="ms", provenance="measured")
    return Artifact.model_validate(
        {
            "target": "x86-64",
            "backend": "tvm",
            "variant": f"v{number}",
            "path": f"artifacts/x86-64/tvm-v{number}",
            "size_bytes": size,
            "ran_on": "native",
            "verdict": verdict,
            "provenance": "measured",
            "fidelity_reason": "not of interest here",
            "accuracy_reason": "not of interest here",
            "cost": cost,
        }
    )


LATENCY = st.none() | st.floats(0.001, 1e4)
FOUND = st.lists(st.tuples(st.integers(1, 10**9), LATENCY, st.sampled_from(["passed", "failed"])), max_size=8)


@given(FOUND)
def test_the_selected_one_is_never_beaten_by_another_that_passed(found):
    artifacts = [artifact(number, *each) for number, each in enumerate(found)]
    left = {each.path: each for each in artifacts if each.verdict == "passed"}
    chosen = select(artifacts, set())
    assert (chosen is None) == (not left)
    if chosen is None:
        return
    assert {chosen.path, *(each.path for each in chosen.runners_up)} == set(left)
    assert all(each.times is None or each.times >= 1 for each in chosen.runners_up)
    latencies = {path: each.cost["latency_p50"].value for path, each in left.items()}
    timed = {path: value for path, value in latencies.items() if value is not None}
    if timed:
        assert timed[chosen.path] == min(timed.values())
    else:
        assert left[chosen.path].size_bytes == min(each.size_bytes for each in left.values())


def test_what_is_said_of_the_others():
    chosen = select([artifact(1, 5, 2.0), artifact(2, 5, 1.0), artifact(3, 5, 6.0), artifact(4, 5, None)], set())
    assert runners_up(chosen) == "tvm v1 takes 2 times as long, tvm v3 6"
    assert [each.variant for each in chosen.runners_up] == ["v1", "v3", "v4"]
    sized = select([artifact(1, 50, None), artifact(2, 20, None)], set())
    assert runners_up(sized) == "tvm v1 is 2.5 times as large"


def test_a_microcontroller_is_short_of_flash_and_ram_and_not_of_disk():
    """The larger package may be the smaller program."""
    found = [artifact(1, 20_000, None), artifact(2, 90_000, None), artifact(3, 30_000, None)]
    memory = {"v1": (60_000, 40_000), "v2": (30_000, 20_000), "v3": (45_000, 30_000)}
    for each in found:
        for name, size in zip(("flash_used", "ram_used"), memory[each.variant], strict=True):
            each.cost[name] = Figure(value=size, unit="bytes", provenance="measured")
    chosen = select(found, set())
    assert (chosen.variant, chosen.basis) == ("v2", "unmeasured-speed")
    assert chosen.reason == (
        "least memory of 3 that passed, 30.0 kB of flash and 20.0 kB of RAM; no timings from the target itself"
    )
    assert [(each.variant, each.times) for each in chosen.runners_up] == [("v3", 1.5), ("v1", 2.0)]
    del found[0].cost["ram_used"]  # of one that is not known: they are compared by what is known of all
    assert select(found, set()).variant == "v1"
