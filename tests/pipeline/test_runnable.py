"""A folder of an artefact that somebody changed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from dlpipe.errors import BadModel
from dlpipe.pipeline.runnable import artifact_digest, load


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


def test_the_manifest_that_compile_adds_is_no_part_of_the_artifact(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    before = artifact_digest(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    assert artifact_digest(str(tmp_path)) == before
    (tmp_path / "more.json").write_text("{}")
    assert artifact_digest(str(tmp_path)) != before
