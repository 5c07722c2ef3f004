"""`dlpipe target`: what is known of the hardware, for people and as data."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from dlpipe.cli.main import app
from dlpipe.targets.registry import targets


@pytest.fixture
def dlpipe(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.mark.parametrize("name", ["x86-64", "armv7", "vulkan", "x86-64-amx", "cuda-sm86"])
def test_show_fits_80_columns_and_says_who_does_what(dlpipe, name):
    said = dlpipe("target", "show", name)
    assert max(map(len, said.splitlines())) <= 80
    for backend in targets()[name].backends:
        assert f"  {backend} *" in said
    assert all(note.split()[0] in said for note in targets()[name].notes)


def test_show_as_data(dlpipe):
    shown = json.loads(dlpipe("target", "show", "vulkan", "--json"))
    assert shown["arch"] == "vulkan"
    assert shown["known"][0] == {
        "backend": "ncnn",
        "default": True,
        "variants": ["fp32", "fp16"],
        "executed": shown["known"][0]["executed"],
        "refused": None,
    }


def test_the_board_of_the_help_can_be_added(dlpipe, tmp_path):
    text = dlpipe("target", "add", "--help").partition("where my-board.toml is")[2].partition("Arguments")[0]
    file = tmp_path / "my-board.toml"
    file.write_text("\n".join(line.strip() for line in text.splitlines()))
    assert "added my-board" in dlpipe("target", "add", str(file))
    assert "cortex-a78" in dlpipe("target", "show", "my-board")
