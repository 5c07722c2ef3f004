"""Targets are data that anyone may add; what is wrong in one is said by field."""

from __future__ import annotations

import json
import platform
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.backend import Backend
from dlpipe.errors import UserError
from dlpipe.targets import registry

BUILT_IN = sorted(Path(registry.__file__).parent.glob("*.toml"))
BOARD = """
name = "my-board"
summary = "a board on my desk"
arch = "aarch64"
triple = "aarch64-linux-gnu"
abi = "lp64"
isa = ["asimd"]
runner = "qemu-user"
emulator_cpu = "cortex-a72"
root = "root-arm64"
backends = ["onnxruntime"]
[options.quantisation]
activations = "int8"
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def board(tmp_path):
    def write(text: str = BOARD) -> Path:
        (tmp_path / "board.toml").write_text(text)
        return tmp_path / "board.toml"

    return write


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_every_built_in_target(path):
    each = registry.read_target(path)
    assert each.name == path.stem
    assert set(each.backends) <= set(registry.BACKENDS)
    assert set(each.options["quantisation"]) == {"activations", "weights", "per_channel"}
    json.dumps(registry.as_dict(each))


def test_the_names_that_scripts_use():
    assert {"x86-64", "x86-64-avx512-vnni", "arm64", "armv7", "riscv64", "android-arm64"} <= set(registry.targets())


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(UserError) as error:
        registry.target("arm-64")
    assert "arm64" in str(error.value.hint)
    with pytest.raises(UserError, match="no backend is called 'onnx-runtime'") as error:
        registry.backend("onnx-runtime")
    assert "onnxruntime" in str(error.value.hint)


def test_a_target_of_ones_own(board):
    assert registry.add(board()).name == "my-board"
    assert registry.target("my-board").emulator_cpu == "cortex-a72"
    assert registry.user_folder().is_dir()


def test_a_target_of_ones_own_may_replace_ours(board):
    registry.add(board(BOARD.replace("my-board", "arm64")))
    assert registry.target("arm64").summary == "a board on my desk"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arch = "aarch64"', 'arch = "pdp11"', "arch: Input should be"),
        ('name = "my-board"', 'name = "My Board"', "name: String should match"),
        ("isa = ", "isas = ", "isas: Extra inputs"),
        ('emulator_cpu = "cortex-a72"', "", "needs emulator_cpu"),
        ('backends = ["onnxruntime"]', "backends = []", "backends: List should have at least 1"),
        ('backends = ["onnxruntime"]', 'backends = ["onyx"]', "no backend is called 'onyx'"),
        ("[options.quantisation]", "[options", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(board, old, new, said):
    with pytest.raises(UserError, match=said.replace("[", r"\[")):
        registry.add(board(BOARD.replace(old, new)))
    assert "my-board" not in registry.targets()


@given(st.integers(0, len(BOARD)), st.integers(0, len(BOARD)), st.text(st.characters(codec="utf-8"), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_damaged_file_is_a_target_or_a_user_error(board, start, end, text):
    damaged = BOARD[:start] + text + BOARD[end:]
    said = None
    try:
        name = registry.read_target(board(damaged)).name
    except UserError as error:
        said = error.message
    assert "board.toml" in said if said else name == tomllib.loads(damaged)["name"]


def test_a_missing_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        registry.read_target(tmp_path / "none.toml")


def test_an_arm64_machine_runs_arm64_itself(monkeypatch):
    monkeypatch.setattr(registry, "_features", lambda: frozenset({"fp", "asimd", "sse", "sse2"}))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert registry.target("arm64").runner == "native"
    assert registry.target("x86-64").runner == "none"
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert registry.target("arm64").runner == "qemu-user"
    assert registry.target("x86-64").runner == "native"


@pytest.mark.parametrize("name", ["onnxruntime", "ncnn"])
def test_backends_keep_their_contract(name):
    tool = registry.backend(name)
    assert isinstance(tool, Backend)
    assert tool.name == name
    for each in registry.targets().values():
        for variant in tool.variants(each):
            assert tool.ir_variant(variant) in ("fp32", "fp16", "int8")
            assert tool.compile_call(each, variant).worker.is_file()
            json.dumps(dict(tool.compile_call(each, variant).params))


def test_a_backend_of_another_package(monkeypatch, tmp_path):
    (tmp_path / "acme.py").write_text(
        "from dlpipe.targets.ncnn import Ncnn\nclass Acme(Ncnn):\n    name = 'acme'\nclass Broken:\n    pass\n"
    )
    info = tmp_path / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[dlpipe.backends]\nacme = acme:Acme\nbroken = acme:Broken\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.backend("acme").name == "acme"
    with pytest.raises(UserError, match="is not a backend"):
        registry.backend("broken")
    registry.backend.cache_clear()


def test_a_machine_that_lacks_an_extension_does_not_run_what_needs_it(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu sse sse2 avx\n")
    monkeypatch.setattr(registry, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    registry._features.cache_clear()
    assert registry.target("x86-64").runner == "native"
    vnni = registry.target("x86-64-avx512-vnni")
    assert vnni.runner == "none"
    assert "avx512_vnni" in vnni.notes[-1]
    registry._features.cache_clear()
