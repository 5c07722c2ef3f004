"""Timing in a session that times more than once."""

from __future__ import annotations

from dlpipe.ir.calls import time_call
from dlpipe.pipeline.timing import Timed, handle_of


def test_a_worker_never_takes_one_model_for_another_of_the_same_name() -> None:
    first = Timed("candidate", time_call(), {"ir": "a", "samples": "s"})
    second = Timed("candidate", time_call(), {"ir": "b", "samples": "s"})
    again = Timed("candidate", time_call(), {"samples": "s", "ir": "a"})
    assert handle_of(first) != handle_of(second)
    assert handle_of(first) == handle_of(again)
    assert handle_of(first) != handle_of(Timed("candidate", time_call(threads=2), first.inputs))
