"""What can be executed: a folder of an artefact that somebody changed, a model with a file beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlpipe.errors import BadModel
from dlpipe.ir.contract import PicturePreprocessing
from dlpipe.pipeline.runnable import artifact_digest, load
from dlpipe.pipeline.session import Session
from tests.conftest import Bench


@pytest.mark.parametrize(
    "wrong",
    [[1], {}, {"variant": {"a": 1}}, {"variant": "fp99"}, {"target": ["x"]}, {"target": None}, {"backend": {}}],
    ids=repr,
)
def test_a_run_file_that_is_wrong_is_the_users_to_mend(tmp_path, wrong):
    right = {"target": "x86-64", "backend": "onnxruntime", "variant": "fp32"}
    text = json.dumps({**right, **wrong} if isinstance(wrong, dict) else wrong)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BadModel, match="not a whole artefact"):
        load(SimpleNamespace(), str(tmp_path), "a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"entry": "gone.onnx"},
        {"entry": "../model.onnx"},
        {"entry": "/etc/passwd"},
        {"entry": "a\0b"},
        {"entry": 5},
        {"inputs": 5},
        {"outputs": [{"name": "y"}]},
        {"parts": [{"folder": ".", "backend": "onnxruntime", "variant": "fp32", "inputs": []}], "entry": "gone.onnx"},
    ],
    ids=repr,
)
def test_a_run_file_of_another_program_is_found_out_before_a_tool_is_asked(tmp_path, wrong):
    port = {"name": "x", "dtype": "float32", "shape": [1, 4]}
    folder = tmp_path / "artifact"
    folder.mkdir()
    for place in (folder, tmp_path):
        (place / "model.onnx").touch()
    (folder / "contract.json").write_text(json.dumps({"inputs": [port], "outputs": [port]}))
    right = {"target": "x86-64", "backend": "onnxruntime", "variant": "fp32", "entry": "model.onnx"}
    (folder / "run.json").write_text(json.dumps({**right, "inputs": [port], "outputs": [port], **wrong}))
    store = SimpleNamespace(ingest=lambda _: SimpleNamespace(digest="0" * 64))
    with pytest.raises(BadModel, match="not a whole artefact"):
        load(SimpleNamespace(store=store), str(folder), "a")


def test_a_name_that_no_archive_keeps_is_the_models_fault(bench: Bench, session: Session, tmp_path: Path) -> None:
    net = '<ir_version: 8, opset_import: ["": 17]> n (float[1,4] qqqq) => (float[1,4] y) {y = Relu(qqqq)}'
    data = (bench.build(net) / "model.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(data.replace(b"qqqq", b"q\0qq"))
    with pytest.raises(BadModel, match="NUL"):
        load(session, str(tmp_path / "m.onnx"), "a")


def test_the_manifest_that_compile_adds_is_no_part_of_the_artifact(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    before = artifact_digest(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    assert artifact_digest(str(tmp_path)) == before
    (tmp_path / "more.json").write_text("{}")
    assert artifact_digest(str(tmp_path)) != before


@pytest.mark.parametrize("beside", ["of timm", "of another"])
def test_how_timm_takes_pictures_is_read_beside_a_file_too(
    bench: Bench, session: Session, tmp_path: Path, beside: str
) -> None:
    net = '<ir_version: 8, opset_import: ["": 17]> n (float[1,3,4,4] x) => (float[1,3,1,1] y) {y = GlobalMaxPool(x)}'
    shutil.copyfile(bench.build(net) / "model.onnx", tmp_path / "model.onnx")
    given = {"input_size": [3, 4, 4], "crop_pct": 0.5, "mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"}
    text = {"of timm": {"pretrained_cfg": given}, "of another": {"architectures": ["Bert"], "hidden_size": 4}}[beside]
    (tmp_path / "config.json").write_text(json.dumps(text))
    parts = load(session, str(tmp_path / "model.onnx"), "a").contract.preprocessing
    if beside == "of another":
        assert parts == ()
        return
    (part,) = parts
    assert isinstance(part, PicturePreprocessing)
    assert (part.source, part.steps.resize, part.steps.crop) == ("config.json", (8, 8), (4, 4))
