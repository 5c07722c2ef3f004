"""A reproduction bundle: complete, and it reproduces."""

from __future__ import annotations

import json

import pytest

from dlpipe.errors import BadModel, StageFailed
from dlpipe.toolchains import bundle
from dlpipe.toolchains.manager import Toolchains


@pytest.fixture
def failed(bench, tmp_path):
    """A bundle of a call that failed."""
    given = tmp_path / "given"
    given.mkdir()
    (given / "model.bin").write_bytes(b"model")
    log = tmp_path / "stage.log"
    source = """
    print("reading", request.params["what"])
    raise RuntimeError(open(os.path.join(request.inputs["model"], "model.bin")).read() + " is odd")
    """
    with pytest.raises(StageFailed) as caught:
        bench.run(source, inputs={"model": given}, log=log, what="a model")
    call = bench.call(source, what="a model")
    return bundle.write_bundle(tmp_path / "bundle", call, {"model": given}, caught.value, log), caught.value


def test_it_holds_what_is_needed_and_the_error_names_it(failed):
    folder, error = failed
    assert error.where["bundle"] == str(folder)
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    assert request["error"]["message"] == "RuntimeError: model is odd"
    assert request["call"]["params"] == {"what": "a model"}
    assert set(request["inputs"]["model"]) == {"model.bin"}
    assert "reading a model" in (folder / "log.txt").read_text(encoding="utf-8")
    assert "python -m dlpipe.toolchains.bundle" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:models are converted without:RuntimeWarning")
def test_it_reproduces(failed, environment, monkeypatch):
    folder, _ = failed
    monkeypatch.setattr(Toolchains, "ensure", lambda _self, _name: environment)
    monkeypatch.setattr(Toolchains, "devices", lambda _self, _name: ())
    with pytest.raises(StageFailed, match="model is odd"):
        bundle.replay(folder)
    (folder / "inputs" / "model" / "model.bin").write_bytes(b"other")
    with pytest.raises(BadModel, match="missing or has changed"):
        bundle.replay(folder)


def test_large_inputs_are_left_out_but_named(failed, bench, tmp_path):
    _, error = failed
    given = tmp_path / "large"
    given.mkdir()
    (given / "weights").write_bytes(b"\1" * (257 << 20))
    folder = bundle.write_bundle(tmp_path / "second", bench.call("pass"), {"model": given}, error)
    assert not (folder / "inputs").exists()
    assert set(json.loads((folder / "request.json").read_text())["inputs"]["model"]) == {"weights"}


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(BadModel, match="not a reproduction bundle"):
        bundle.replay(tmp_path)
