"""convert --tune: what one run found, the next has for nothing."""

from __future__ import annotations

import json
import platform

import pytest

LENET = "models/caffe_lenet/lenet_iter_10000.caffemodel"


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: tunes for x86-64 only")
def test_tuned_once_and_taken_from_the_database_ever_after(user, shared):
    asked = (
        "convert",
        shared / LENET,
        "-t",
        "x86-64",
        "-t",
        "arm64",
        "-b",
        "tvm",
        "--precision",
        "fp32",
        "--tune",
        "8s",
    )
    first = user.ok(*asked, "-o", "first")
    assert "tune:x86-64/tvm-fp32@1" in first.err
    assert "tune:arm64" not in first.err
    (database,) = (user.cache / "tuning").glob("*.jsonl")
    lines = database.read_bytes()

    second = user.ok(*asked, "-o", "second")
    assert "tune:" not in second.err
    assert database.read_bytes() == lines
    reports = [json.loads((user.folder / name / "report.json").read_text()) for name in ("first", "second")]
    digests = [{each["target"]: each["digest"] for each in report["artifacts"]} for report in reports]
    assert digests[0] == digests[1]
    said = [note["message"] for note in reports[0]["notes"]]
    assert any("x86-64/tvm-fp32: tuned for" in message for message in said)
    assert any(message.startswith("arm64 is not tuned") and "board" in message for message in said)
