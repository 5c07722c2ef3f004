"""What a backend's tool says of its artefact becomes figures that say whose they are."""

from __future__ import annotations

import pytest

from dlpipe.pipeline.report_costs import estimates


def test_an_estimate_names_its_tool() -> None:
    figure = estimates({"tool": "vela 5.2", "estimates": {"npu_cycles": {"value": 4208, "unit": "cycles"}}})[
        "npu_cycles"
    ]
    assert (figure.value, figure.unit, figure.provenance) == (4208, "cycles", "estimated")
    assert figure.reason == "estimated by vela 5.2"


def test_what_was_counted_says_so() -> None:
    given = {"flash": {"value": 9000, "unit": "bytes", "provenance": "measured", "reason": "sections of the ELF file"}}
    figure = estimates({"estimates": given})["flash"]
    assert (figure.provenance, figure.reason) == ("measured", "sections of the ELF file")


@pytest.mark.parametrize(
    "given", [{"value": float("nan")}, {"value": None}, {"unit": "ms"}, 7, {"value": 1, "of": "x"}]
)
def test_what_is_no_figure_is_absent_with_the_reason(given: object) -> None:
    figure = estimates({"tool": "t 1", "estimates": {"odd": given}})["odd"]
    assert figure.provenance == "absent"
    assert figure.reason is not None
    assert "t 1" in figure.reason


def test_nothing_said_is_nothing_shown() -> None:
    assert estimates({"tool": "t 1"}) == {}
