"""Table 1: what a conversion measured of the training framework, and a reason for all else."""

from __future__ import annotations

from dlpipe.contracts.figure import Figure
from dlpipe.report.frameworks import framework
from dlpipe.report.indicators import training_indicators
from dlpipe.report.schema import Layer, ModelView

from .factory import sample_report


def test_every_indicator_has_a_value_or_a_reason() -> None:
    found = framework(sample_report(), {"ab" * 32: 41})
    assert found.framework == "tensorflow"
    assert list(found.indicators) == [each.id for each in training_indicators()]
    assert all(figure.value is not None or figure.reason for figure in found.indicators.values())


def test_what_is_measured() -> None:
    found = framework(sample_report(), {"ab" * 32: 41}).indicators
    assert found["ecosystem.contributors"].value == "tensorflow 2.21.0"
    assert found["ease-of-use.reuse.error"].value == 3.1e-7
    assert found["ease-of-use.reuse.loss"].value == 0.0
    assert found["ease-of-use.cross-platform"].value == "arm64 (qemu-aarch64)"
    assert found["ease-of-use.cross-platform"].provenance == "emulated"
    assert found["performance.model-zoo"].value == 1.92
    assert found["stability.libraries"].value == 41
    assert framework(sample_report(), {}).indicators["stability.libraries"].value is None


def test_custom_operators_are_read_from_the_imported_graph() -> None:
    def found(*ops: str, count: int | None = None) -> Figure:
        nodes = tuple(Layer(name=f"n{place}", op=op) for place, op in enumerate(ops))
        view = ModelView(stage="import", nodes=nodes, node_count=len(nodes) if count is None else count)
        return framework(sample_report(views=(view,)), {}).indicators["ease-of-use.extension"]

    assert found("Conv", "Relu").value == "none needed"
    assert found("Conv", "com.microsoft::Gelu").value == "com.microsoft::Gelu"
    assert found("Conv", count=900).value is None


def test_the_device_of_the_original_is_named() -> None:
    figure = framework(sample_report(), {}).indicators["performance.hardware"]
    assert (figure.value, figure.provenance) == ("Some CPU", "measured")
