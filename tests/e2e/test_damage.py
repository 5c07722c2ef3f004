"""Damaged and hostile input: a clear error, in time, and nothing left behind."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.errors import DlpipeError, StageFailed
from dlpipe.pipeline.convert import convert
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from tests.e2e.user import User, make_user

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def original(shared: Path) -> Path:
    return shared / "models" / "arm_ml_kws" / "DNN_S.pb"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One for all examples: TensorFlow is imported once."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DLPIPE_CACHE_DIR", str(make_user(tmp_path_factory.mktemp("damage")).cache))
    with Session() as opened:
        yield opened
    patch.undo()


mutations = st.one_of(
    st.tuples(st.just("truncate"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("replace"), st.just(0.0), st.binary(max_size=400)),
)


def mutated(data: bytes, how: str, where: float, what: bytes) -> bytes:
    at = int(len(data) * where)
    match how:
        case "truncate":
            return data[:at]
        case "overwrite":
            return data[:at] + what + data[at + len(what) :]
        case "insert":
            return data[:at] + what + data[at:]
        case _:
            return what


@given(mutation=mutations, suffix=st.sampled_from([".pb", ".onnx", ".tflite", ""]))
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_graph_ends_in_an_error_or_in_a_verified_model(
    session: Session, original: Path, tmp_path: Path, mutation: tuple[str, float, bytes], suffix: str
) -> None:
    """A change in the weights may well leave a valid model; then the artefact must agree with that model."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(mutated(original.read_bytes(), *mutation))
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)  # of the example before
    session.executor.outcomes.clear()
    request = ConvertRequest(str(path), ("x86-64",), backends=("onnxruntime",), precision="fp32", out=out)
    try:
        converted = convert(session, request)
    except DlpipeError as error:
        assert error.exit_code in (2, 3, 4)
        assert not isinstance(error, StageFailed) or error.where.get("log"), error
        assert not out.exists()
    else:
        assert all(each.verdict != "passed" or each.fidelity for each in converted.report.artifacts)
        assert (out / "manifest.json").is_file()


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a model", bytes(range(256)) * 8], ids=range(4))
def test_what_is_no_model_exits_with_2_and_no_traceback(settled_user: User, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pb"
    path.write_bytes(content)
    done = settled_user.dlpipe("convert", path, "-t", "arm64", "--out", tmp_path / "out")
    assert done.code == 2, done.err
    assert "Traceback" not in done.err + done.out
    assert not (tmp_path / "out").exists()


def test_nothing_of_the_users_is_overwritten(settled_user: User, shared: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    model = shared / "models" / "arm_ml_kws" / "DNN_S.pb"
    done = settled_user.dlpipe("convert", model, "-t", "x86-64", "-b", "onnxruntime", "--out", mine)
    assert done.code == 2
    assert [each.name for each in mine.iterdir()] == ["thesis.txt"]


def test_data_that_names_no_class_of_the_model(settled_user: User, shared: Path, tmp_path: Path) -> None:
    """An accuracy on no sample would look like a measured one."""
    clip = (shared / "models" / "arm_ml_kws" / "silence.wav").read_bytes()
    (tmp_path / "clips" / "zebra").mkdir(parents=True)
    (tmp_path / "clips" / "zebra" / "a.wav").write_bytes(clip)
    model = shared / "models" / "arm_ml_kws" / "DNN_S.pb"
    done = settled_user.dlpipe("convert", model, "-t", "x86-64", "--data", tmp_path / "clips", "--json")
    assert done.code == 2, done.err
    assert "zebra" in done.json["message"]
    assert "_silence_" in done.json["hint"]


def test_a_damaged_cache_never_gives_another_artefact(user: User, shared: Path) -> None:
    """Bits flipped in a tenth of all files, sizes and times kept."""
    command = ("convert", shared / "models" / "arm_ml_kws" / "DNN_S.pb", "-t", "x86-64", "-b", "onnxruntime")
    command += ("--precision", "fp32", "--out", "out", "--json")
    whole = {each["path"]: each["digest"] for each in user.ok(*command).json["artifacts"]}
    chance = random.Random(20180801)
    for _ in range(3):
        stored = sorted(path for part in ("objects", "records") for path in (user.cache / "store" / part).rglob("*"))
        files = [path for path in stored if path.is_file() and path.stat().st_size]
        for path in chance.sample(files, len(files) // 10):
            data, status = bytearray(path.read_bytes()), path.stat()
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.chmod(0o644)
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert user.dlpipe("cache", "verify").code == 3
        done = user.dlpipe(*command)
        for _ in range(len(files)):  # damage that shows in mid-run: what it touches is set aside, and the user is told
            if done.code == 0:
                break
            assert (done.code, done.json["error"]) == (2, "Lost"), done.err
            assert "run the command again" in done.json["hint"]
            done = user.dlpipe(*command)
        assert {each["path"]: each["digest"] for each in done.json["artifacts"]} == whole
        user.dlpipe("cache", "verify", "--repair")
