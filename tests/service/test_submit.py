"""`dlpipe submit`: what it asks of a service, and what it does not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from .running import NO_MODEL, Service

CONVERT = """[convert]
model = ["net.onnx"]
target = "x86-64"
precision = "int8"
max-latency = "10ms"
backend = ["onnxruntime", "openvino"]
input = "x:1x8"
out = "somewhere"
jobs = 2
unsafe-load = false
[gate]
max-size = "1kB"
"""


def test_a_file_says_what_is_asked_and_flags_override_it(idle: Service) -> None:
    token = idle.token("by file", "read", "submit")
    (idle.user.folder / "net.onnx").write_bytes(NO_MODEL)
    (idle.user.folder / "dlpipe.toml").write_text(CONVERT)
    job = idle.ok(
        "submit", "--config", "dlpipe.toml", "--precision", "fp16", "--memory-limit", "2GB", "--json", token=token
    )
    asked = _asked(idle, job.json["id"])
    assert asked["model"]["entry"] == "net.onnx"
    assert (asked["targets"], asked["backends"]) == (["x86-64"], ["onnxruntime", "openvino"])
    assert (asked["precision"], asked["max_latency"], asked["inputs"]) == ("fp16", "10ms", ["x:1x8"])
    assert (asked["max_size"], asked["memory_limit"]) == (None, 2_000_000_000)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("unsafe-load = true", "'unsafe-load' is not taken by a service"),
        ('factory = "net.py:make"', "'factory' is not taken by a service"),
        ('requirements = "requirements.txt"', "'requirements' is not taken by a service"),
        ('metric = "mine.py:score"', "metric"),
        ('recipe = "mine.toml"', "recipes"),
        ('precison = "fp32"', "did you mean 'precision'?"),
    ],
)
def test_what_runs_code_or_names_a_file_of_the_server_is_not_asked(idle: Service, setting: str, said: str) -> None:
    (idle.user.folder / "net.onnx").write_bytes(NO_MODEL)
    (idle.user.folder / "code.toml").write_text(f'[convert]\nmodel = "net.onnx"\ntarget = "x86-64"\n{setting}\n')
    refused = idle.dlpipe("submit", "--config", "code.toml")
    assert (refused.code, said in refused.err) == (2, True), refused.err


def _asked(service: Service, job: str) -> dict[str, Any]:
    """As the database has it: no answer repeats it."""
    with closing(sqlite3.connect(service.data / "service.sqlite")) as database:
        ((asked,),) = database.execute("SELECT asked FROM jobs WHERE name = ?", (job,)).fetchall()
    found: dict[str, Any] = json.loads(asked)
    return found


def test_two_models_are_two_jobs(idle: Service) -> None:
    (idle.user.folder / "two.toml").write_text('[convert]\nmodel = ["a.onnx", "b.onnx"]\ntarget = "x86-64"\n')
    refused = idle.dlpipe("submit", "--config", "two.toml")
    assert (refused.code, "one model" in refused.err) == (2, True), refused.err
    assert idle.dlpipe("submit", "a.onnx", "-t", "x86-64", "--memory-limit", "much").code == 2


def test_a_job_that_waits_is_not_tried_again(idle: Service) -> None:
    job = idle.submit().json["id"]
    refused = idle.dlpipe("retry", job)
    assert (refused.code, "queued" in refused.err) == (2, True), refused.err
    idle.ok("cancel", job)
    assert idle.ok("retry", job).out == f"{job}: queued\n"
