from __future__ import annotations

import io

import pytest
from rich.console import Console

from dlpipe.contracts.measurement import Accuracy
from dlpipe.report import Report
from dlpipe.report.markdown import render_markdown
from dlpipe.report.schema import Gate, Note, Refusal
from dlpipe.report.terminal import render_terminal

from .factory import artifact, cost, fidelity, sample_report, stage


def shown(report: Report, *, terminal: bool = False, color: bool = True) -> str:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=terminal, no_color=not color, highlight=False)
    render_terminal(report, console=console)
    return file.getvalue()


def test_it_fits_80_columns_and_says_what_matters() -> None:
    text = shown(sample_report())
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "Ready for arm64: onnxruntime int8",
        "simplify",
        "cached",
        "cos 0.9962",
        "+0.50 pt",
        "6.60×",
        "qemu-aarch64",
    ):
        assert part in text
    assert "Selected for arm64" in text
    assert "no timings from the target" in text
    assert "unverified max-latency" in text


def test_every_dash_with_a_reason_has_its_footnote() -> None:
    lines = shown(sample_report()).splitlines()
    notes = [line for line in lines if line.startswith("[")]
    assert any("no speed is claimed from an emulator" in line for line in notes)
    for number in range(1, len([line for line in notes if line.startswith("[")]) + 1):
        assert sum(f"[{number}]" in line for line in lines) >= 2


def test_neighbours_that_read_the_same_share_a_row() -> None:
    stages = tuple(
        stage(name, kind, (), fidelity=fidelity(3e-7), cost=cost(0.5, 99_000), cache="hit")
        for name, kind in (("import", "import"), ("fold-batchnorm", "pass"), ("fold-constants", "pass"))
    )
    again = stages[1].model_copy(update={"cache": "miss"})
    assert "import … fold-constants cached " in shown(sample_report(stages=stages))
    assert "ok, partly cached" in shown(sample_report(stages=(stages[0], again, stages[2])))
    slower = stages[1].model_copy(update={"cost": cost(0.6, 99_000)})
    text = shown(sample_report(stages=(stages[0], slower, stages[2])))
    assert "…" not in text
    assert "0.600 ms" in text


def test_the_original_shows_its_own_accuracy() -> None:
    own = Accuracy(metric="top-1", value=0.9425, ci95=(0.91, 0.96), n=400, reason="this is the original itself")
    first = stage("reference", "reference", (), accuracy=own)
    text = shown(sample_report(stages=(first, *sample_report().stages[1:])))
    assert "the original's top-1: 94.25 % of 400" in " ".join(text.split())
    assert text.count("94.25 %") == 1  # not under what was lost of it
    assert "this is the original itself" not in text
    kept = stage("import", "import", (), accuracy=own.model_copy(update={"reason": "other samples"}))
    assert "other samples" in shown(sample_report(stages=(kept,)))


def test_what_was_not_tried_is_not_called_unverified() -> None:
    refused = artifact("mnn", "fp32", verdict="unverified", digest=None, refusals=(Refusal(reason="no GatherND"),))
    text = shown(sample_report(artifacts=(refused,), selected={}, gates=()))
    assert "mnn fp32 ruled out" in " ".join(text.split())
    assert "unverified" not in text
    assert "| mnn fp32 | ruled out |" in render_markdown(sample_report(artifacts=(refused,), selected={}, gates=()))


def test_why_nothing_was_made_is_said_once() -> None:
    """Two precisions of a backend whose tool is missing: it stood in a note of each, and again among the gates."""
    why = "the tvm toolchain is not installed"
    made = [
        artifact(
            "tvm",
            variant,
            verdict="failed",
            digest=None,
            reason=f"compile:arm64/tvm-{variant} failed: {why}",
            fidelity=None,
            fidelity_reason="there is no artefact",
        )
        for variant in ("fp32", "int8")
    ]
    gates = [
        Gate(name="fidelity", subject=each.path, limit="as the precision allows", passed=False, reason=why)
        for each in made
    ]
    text = " ".join(shown(sample_report(artifacts=tuple(made), selected={}, gates=tuple(gates))).split())
    assert text.count(why) == 1
    assert f"compile failed: {why}" in text


def test_no_escape_sequences_without_a_terminal() -> None:
    assert "\x1b" not in shown(sample_report())
    assert "\x1b[" in shown(sample_report(), terminal=True)


def test_no_color_gives_no_colour(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b[3" not in shown(sample_report(), terminal=True, color=False)
    monkeypatch.setenv("NO_COLOR", "1")
    render_terminal(sample_report())
    assert "\x1b" not in capsys.readouterr().out


def test_a_hostile_name_neither_formats_nor_escapes() -> None:
    report = sample_report()
    stage = report.stages[2].model_copy(update={"id": "[red]x[/red]\x1b[2J\u202e", "title": None})
    text = shown(report.model_copy(update={"stages": (stage,)}))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_an_empty_report() -> None:
    text = shown(sample_report(stages=(), artifacts=(), gates=(), selected={}, notes=(), samples=None))
    assert "No artefact was made" in text


def test_what_is_only_to_be_known_is_said_too() -> None:
    notes = (Note(message="vulkan/tvm-fp32: tuned for 60 s"), Note(level="warning", message="2 clips are short"))
    text = shown(sample_report(notes=notes))
    assert "\nvulkan/tvm-fp32: tuned for 60 s\nwarning: 2 clips are short" in text
