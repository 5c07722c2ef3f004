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
    assert each.kind != "cpu" or set(each.options["quantisation"]) == {"activations", "weights", "per_channel"}
    json.dumps(registry.as_dict(each))


@pytest.mark.parametrize(
    ("flags", "name"),
    [("sse sse2", "x86-64"), ("{v3}", "x86-64-v3"), ("{v3} avx512f avx512bw avx512cd avx512dq avx512vl", "x86-64-v4"),
     ("{v3} avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni", "x86-64-avx512-vnni")],
)  # fmt: skip
def test_this_machine(monkeypatch, tmp_path, flags, name):
    """Without VNNI its kernels want seven-bit weights, so what it has must be told apart."""
    v3 = "sse sse2 pni ssse3 sse4_1 sse4_2 avx popcnt cx16 lahf_lm avx avx2 fma f16c bmi1 bmi2 abm movbe"
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags\t\t: {flags.format(v3=v3)}\n")
    monkeypatch.setattr(registry, "_CPUINFO", cpuinfo)
    monkeypatch.setattr(registry.platform, "machine", lambda: "x86_64")
    registry._features.cache_clear()
    try:
        assert registry.here().name == name
    finally:
        registry._features.cache_clear()


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


def test_a_board_in_ten_lines(board, tmp_path):
    """It says what is different; a board may extend a board, and options are taken over one by one."""
    lines = """
name = "desk"
extends = "arm64-cortex-a76"
summary = "the board on my desk"
emulator_cpu = "cortex-a72"
[options.tvm]
mcpu = "cortex-a72"
"""
    registry.add(board(lines))
    ours, mine = registry.target("arm64-cortex-a76"), registry.target("desk")
    assert (mine.arch, mine.isa, mine.root, mine.backends) == (ours.arch, ours.isa, ours.root, ours.backends)
    assert mine.options["tvm"] == {**ours.options["tvm"], "mcpu": "cortex-a72"}
    assert (mine.emulator_cpu, mine.notes) == ("cortex-a72", ())
    registry.add(board('name = "second"\nextends = "desk"\nsummary = "another"\n'))
    assert registry.target("second").emulator_cpu == "cortex-a72"
    registry.add(board(lines.replace("desk", "arm64-cortex-a76", 1)))
    assert registry.target("arm64-cortex-a76").isa == ours.isa  # a file that replaces one of ours extends ours
    with pytest.raises(UserError, match="extends: no target is called 'arm46'") as error:
        registry.add(board('name = "x"\nextends = "arm46"\nsummary = "x"\n'))
    assert "arm64" in str(error.value.hint)
    (registry.user_folder() / "desk.toml").write_text(lines.replace("arm64-cortex-a76", "second"))
    with pytest.raises(UserError, match="in a circle"):
        registry.target("second")


def test_a_target_of_ones_own_may_replace_ours(board):
    registry.add(board(BOARD.replace("my-board", "arm64")))
    assert registry.target("arm64").summary == "a board on my desk"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arch = "aarch64"', 'arch = "pdp11"', "a CPU needs"),
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


def test_what_would_break_other_targets_is_not_added(board):
    one = 'name = "one"\nextends = "arm64"\nsummary = "x"\n'
    registry.add(board(one))
    registry.add(board('name = "two"\nextends = "one"\nsummary = "x"\n'))
    with pytest.raises(UserError, match=r"targets of yours would be wrong: .*in a circle"):
        registry.add(board('name = "one"\nextends = "two"\nsummary = "x"\n'))
    assert (registry.user_folder() / "one.toml").read_text() == one
    assert {"one", "two"} <= set(registry.targets())


@pytest.mark.parametrize("url", ['"http://b:99999"', '"ftp://b"', "7", '""'])
def test_the_address_of_a_board_is_looked_at(board, url):
    text = 'name = "one"\nextends = "arm64"\nsummary = "x"\nrunner = "device"\n[options.agent]\nurl = '
    with pytest.raises(UserError, match="no address of an agent"):
        registry.add(board(text + url + "\n"))
    assert "one" not in registry.targets()


def test_a_processor_s_answer_is_none_of_an_npu_s(board):
    text = 'name = "one"\nextends = "x86-64"\nsummary = "x"\nkind = "npu"\n'
    with pytest.raises(UserError, match="native"):
        registry.add(board(text))


def test_an_htp_arch_that_is_none_is_refused(board):
    text = 'name = "one"\nextends = "hexagon-v73"\nsummary = "x"\n[options.qnn]\nhtp_arch = "v73"\n'
    new = registry.add(board(text))
    tool = registry.backend("qnn")
    assert [each for each in tool.refusals(new, "int8", {"operators": {}}) if "htp_arch" in str(each)]


def test_options_that_are_none_are_said(board):
    registry.user_folder().mkdir(parents=True)
    (registry.user_folder() / "one.toml").write_text('name = "one"\noptions = 3\n')
    with pytest.raises(UserError, match="options"):
        registry.add(board('name = "two"\nextends = "one"\nsummary = "x"\n'))


def test_an_arm64_machine_runs_arm64_itself(monkeypatch):
    monkeypatch.setattr(registry, "_features", lambda: frozenset({"fp", "asimd", "sse", "sse2"}))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert registry.target("arm64").runner == "native"
    assert registry.target("x86-64").runner == "none"
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert registry.target("arm64").runner == "qemu-user"
    assert registry.target("x86-64").runner == "native"


@pytest.mark.parametrize("name", ["onnxruntime", "ncnn", "executorch", "inductor"])
def test_backends_keep_their_contract(name):
    tool = registry.backend(name)
    assert isinstance(tool, Backend)
    assert tool.name == name
    for each in registry.targets().values():
        for variant in tool.variants(each):
            assert tool.ir_variant(variant) in ("fp32", "fp16", "int8", "int4")
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


def test_options_of_no_backend_are_refused(board):
    with pytest.raises(UserError, match=r"options\.tvn") as refused:
        registry.add(board(BOARD + "\n[options.tvn]\nmcpu = 'x'\n"))
    assert refused.value.hint == "did you mean tvm?"
