"""What can be asked of a job, and how jobs are looked at."""

from __future__ import annotations

import http.client
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from tests.service.test_agents import ABOUT

from .running import ADMINISTRATOR, Service

FILE = "0" * 64


def files(*names: str, entry: str | None = None) -> dict[str, Any]:
    return {"files": dict.fromkeys(names, FILE), "entry": entry or names[0]}


@pytest.mark.parametrize(
    "asked",
    [
        {"model": files("../model.onnx")},
        {"model": files("/etc/passwd")},
        {"model": files("a/../../b")},
        {"model": files("a//b")},
        {"model": files(".")},
        {"model": files("")},
        {"model": files("a\\b")},
        {"model": files("a:b")},
        {"model": files("a\nb")},
        {"model": files("a\0b")},
        {"model": files("x" * 300)},
        {"model": files("a", "a/b")},
        {"model": files("a", entry="b")},
        {"model": files("a", entry="..")},
        {"model": {"files": {}, "entry": "."}},
        {"model": {"files": {"a": "../../etc/passwd"}, "entry": "a"}},
        {"model": "/etc/passwd"},
        {},
        {"model": files("a"), "zoo": "b"},
        {"zoo": "../../etc"},
        {"zoo": "there-is-no-such-model"},
        {"model": files("a"), "unsafe_load": True},
        {"model": files("a"), "factory": "os:system"},
        {"model": files("a"), "requirements": "x"},
        {"model": files("a"), "out": "/tmp/x"},
        {"model": files("a"), "metric": "mine.py:score"},
        {"model": files("a"), "metric": "os:system"},
        {"model": files("a"), "metric": "no-such-metric"},
        {"model": files("a"), "recipes": ["/etc/mine.toml"]},
        {"model": files("a"), "recipes": ["mine.toml"]},
        {"model": files("a"), "preprocess": "/etc/x.json"},
        {"model": files("a"), "data": "/etc"},
        {"model": files("a"), "data": "zoo:x"},
        {"model": files("a"), "labels": "/etc/passwd"},
        {"model": files("a"), "reference": files("a", entry=".")},
        {"model": files("a"), "targets": []},
        {"model": files("a"), "targets": ["no-such-target"]},
        {"model": files("a"), "targets": ["../x"]},
        {"model": files("a"), "backends": ["no-such-backend"]},
        {"model": files("a"), "framework": "no-such-frontend"},
        {"model": files("a"), "precision": "fp7"},
        {"model": files("a"), "max_size": "much"},
        {"model": files("a"), "shapes": ["x"]},
        {"model": files("a"), "time_limit": 1e9},
        {"model": files("a"), "time_limit": -1},
        {"model": files("a"), "priority": 101},
    ],
    ids=repr,
)
def test_what_cannot_be_asked(idle: Service, asked: dict[str, Any]) -> None:
    (idle.user.folder / "mine.toml").write_text("")  # where the server works: it is not to notice
    answer = idle.ask("POST", "/jobs", {"targets": ["x86-64"], **asked})
    assert answer.status == 422, answer.body
    assert "cannot be read" not in answer.json["detail"], "no file of the server's was looked for"
    assert "mine.toml" not in answer.json["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert "missing" not in answer.json, "it is refused for what it is, not for files that are not there"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"targets": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_request(idle: Service, body: bytes) -> None:
    answer = idle.ask("POST", "/jobs", body, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_is_too_large(idle: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", idle.port)
    headers = {"Authorization": f"Bearer {ADMINISTRATOR}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/api/v1/jobs", b" " * (9 << 20), headers)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has hung up, which is as good
    finally:
        connection.close()
    assert idle.ask("GET", "//healthz").status == 200


def test_one_key_is_one_job(idle: Service) -> None:
    key = {"Idempotency-Key": "of-this-test"}
    first, again = idle.submit(headers=key), idle.submit(headers=key)
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]
    assert idle.submit(headers=key, label="something else").status == 409
    stranger = idle.token("with the same key", "read", "submit")
    theirs = idle.submit(headers=key, token=stranger)
    assert (theirs.status, theirs.json["id"] != first.json["id"]) == (201, True)


def test_pages_and_searches(idle: Service) -> None:
    token = idle.token("many jobs", "read", "submit")
    made = [idle.submit(token=token, label=f"number {n}%").json["id"] for n in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        page = idle.ask("GET", f"/jobs?limit=2{after}", token=token).json
        seen += [each["id"] for each in page["jobs"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == made[::-1]
    for text, count in {"NUMBER%203%25": 1, "3%25": 1, "%25": 5, "_": 0, "x86-64": 5, "model.onnx": 5}.items():
        assert len(idle.ask("GET", f"/jobs?q={text}", token=token).json["jobs"]) == count, text
    assert idle.ask("POST", f"/jobs/{made[0]}/cancel", token=token).json["state"] == "cancelled"
    (cancelled,) = idle.ask("GET", "/jobs?state=cancelled", token=token).json["jobs"]
    assert cancelled["exit_code"] == 130
    assert idle.ask("GET", "/jobs?state=odd", token=token).status == 422


def test_an_output_that_is_lost_is_said(idle: Service) -> None:
    """A backup has the rows of a job that was removed while it was written, and not its files."""
    token = idle.token("unlucky", "read", "submit")
    job = idle.submit(token=token).json["id"]
    with closing(sqlite3.connect(idle.data / "service.sqlite", timeout=60)) as database, database:
        database.execute("UPDATE jobs SET state = 'succeeded', attempt = 1, result = 1 WHERE name = ?", (job,))
    where = ("artifacts", "artifacts.zip", "artifacts/x", "report.json", "report.html", "lineage", f"compare/{job}")
    for path in where:
        answer = idle.ask("GET", f"/jobs/{job}/{path}", token=token)
        assert (answer.status, "lost" in answer.json["detail"]) == (404, True), path
    out = idle.data / "jobs" / job / "1" / "out"
    out.mkdir(parents=True)
    assert idle.ask("GET", f"/jobs/{job}/artifacts.zip", token=token).status == 404
    (out / "manifest.json").write_text('{"files": {"x": {"sha256": "0", "size": 1}}}')
    assert idle.ask("GET", f"/jobs/{job}/artifacts/x", token=token).status == 404


def test_a_search_knows_other_alphabets(idle: Service) -> None:
    token = idle.token("Europeans", "read", "submit")
    job = idle.submit(token=token, label="Größe ÉTÉ Привет").json["id"]
    for words in ("größe", "GRÖSSE"[:3], "été", "ПРИВЕТ"):
        found = idle.ask("GET", f"/jobs?q={quote(words)}", token=token).json["jobs"]
        assert [each["id"] for each in found] == [job], words


def test_a_list_does_not_read_all_that_was_asked(idle: Service) -> None:
    """A job of 20,000 files asks for megabytes: read for each line of a list, they would take the server's memory."""
    token = idle.token("verbose", "read", "submit")
    job = idle.submit(token=token, label="mine").json["id"]
    with closing(sqlite3.connect(idle.data / "service.sqlite", timeout=60)) as database, database:
        database.execute("UPDATE jobs SET asked = '{' WHERE name = ?", (job,))  # whoever reads it stumbles
    (listed,) = idle.ask("GET", "/jobs", token=token).json["jobs"]
    assert (listed["title"], listed["label"], listed["targets"]) == ("model.onnx", "mine", ["x86-64"])
    assert idle.ask("GET", f"/jobs/{job}", token=token).json == listed
    assert idle.ask("POST", f"/jobs/{job}/cancel", token=token).status == 202


def test_a_cancelled_job_may_be_tried_again_and_a_waiting_one_may_not(idle: Service) -> None:
    job = idle.submit().json["id"]
    assert idle.ask("POST", f"/jobs/{job}/retry").status == 409
    assert idle.ask("POST", f"/jobs/{job}/cancel").json["state"] == "cancelled"
    assert idle.ask("POST", f"/jobs/{job}/cancel").json["state"] == "cancelled", "twice is as good as once"
    assert idle.ask("POST", f"/jobs/{job}/retry").json["state"] == "queued"
    assert idle.ask("POST", f"/jobs/{job}/cancel").status == 202


def test_events_go_on_behind_the_last_that_was_seen(idle: Service) -> None:
    job = idle.submit().json["id"]
    idle.ask("POST", f"/jobs/{job}/cancel")
    whole = idle.ask("GET", f"/jobs/{job}/events")
    assert whole.headers["content-type"].startswith("text/event-stream")
    ids = [line.removeprefix("id: ") for line in whole.body.decode().splitlines() if line.startswith("id: ")]
    assert [each["state"] for each in idle.events(job)] == ["queued", "cancelled"]
    rest = idle.ask("GET", f"/jobs/{job}/events", headers={"Last-Event-ID": ids[0]}).body.decode()
    assert f"id: {ids[1]}" in rest
    assert f"id: {ids[0]}\n" not in rest


def test_what_it_converts_for_and_with(idle: Service) -> None:
    targets = {each["name"]: each for each in idle.ask("GET", "/targets").json}
    assert "onnxruntime" in targets["x86-64"]["backends"]
    backends = {each["name"]: each for each in idle.ask("GET", "/backends").json}
    assert "x86-64" in backends["onnxruntime"]["targets"]


def test_figures_for_prometheus(idle: Service) -> None:
    idle.submit()
    lines = dict(
        line.rsplit(" ", 1) for line in idle.ask("GET", "//metrics").body.decode().splitlines() if line[0] != "#"
    )
    assert int(lines['dlpipe_jobs{state="queued"}']) >= 1
    assert lines["dlpipe_workers"] == "0"
    assert lines['dlpipe_request_seconds_bucket{le="+Inf"}'] == lines["dlpipe_request_seconds_count"]


def test_the_commands_say_what_is_wrong(idle: Service) -> None:
    stranger = idle.dlpipe("status", token="dlp_of-nobody-that-the-service-knows")
    assert (stranger.code, "DLPIPE_TOKEN" in stranger.err) == (2, True)
    assert idle.dlpipe("status", token="").code == 2
    assert idle.dlpipe("logs", "job-of-nobody").code == 2
    nowhere = idle.dlpipe("status", "--server", "http://127.0.0.1:9")
    assert (nowhere.code, "does not answer" in nowhere.err) == (2, True)
    assert idle.dlpipe("status", "--server", "file:///etc/passwd").code == 2


def test_a_hostile_name_does_not_move_the_terminals_cursor(idle: Service) -> None:
    token = idle.token("hostile", "read", "submit")
    name = "\u202e\u009b31mred.onnx"
    model = {"files": {name: idle.upload(b"{x", token=token)}, "entry": name}
    assert idle.submit(token=token, model=model).status == 201
    shown = idle.ok("status", token=token).out
    assert "red.onnx" in shown
    assert not {"\u202e", "\u009b"} & set(shown)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\x7fELF\x02", "a program"),
        (b"Dear colleagues,\nthe model is attached.\n", "of no format"),
        (bytes.fromhex("fedcba9876543210") * 9, "of no format"),
        (b"import torch\n\ndef make():\n    return torch.nn.Linear(3, 3)\n", "Python source"),
        (b'net: "train_val.prototxt"\nbase_lr: 0.01\n', "how to train"),
    ],
)
def test_what_its_first_bytes_tell_to_be_no_model_is_not_queued(idle: Service, content: bytes, told: str) -> None:
    one = {"<b>m</b>": idle.upload(content)}
    one = {name.replace("/", ""): digest for name, digest in one.items()}
    refused = idle.submit(model={"files": one, "entry": next(iter(one))})
    assert (refused.status, told in refused.json["detail"]) == (422, True), refused.body
    two = {**one, "beside": idle.upload(b"something else")}
    assert idle.submit(model={"files": two, "entry": "."}).status == 201, "raw weights may look like anything"
    assert idle.submit(model={"files": one, "entry": next(iter(one))}, framework="onnx").status == 201


def test_a_board_that_the_team_has_not_is_a_mistake(idle: Service) -> None:
    token = idle.token("board users", "read", "submit", "board")
    none = idle.submit(token=token, board="kitchen")
    assert (none.status, "has not a board called kitchen" in none.json["detail"]) == (422, True)
    assert idle.ask("POST", "/boards", {**ABOUT, "name": "pantry"}, token=token).status == 201
    assert idle.submit(token=token, board="pantry").status == 201
    assert idle.submit(token=token, board="any").status == 201
    assert idle.submit(token=token, board="kitchen").json["hint"] == "there are: pantry"
    assert idle.submit(token=idle.token("neighbours", "read", "submit"), board="pantry").status == 422


def test_a_name_that_is_none_is_told_in_words(idle: Service) -> None:
    answer = idle.ask("GET", "/jobs/job-of-nobody")
    assert (answer.status, answer.json["errors"][0]["message"]) == (
        422,
        "no job is called so: an id is job- and 16 of 0-9 and a-f",
    )
    assert "SHA-256" in idle.ask("PUT", "/uploads/xyz", b"").json["detail"]
    told = idle.dlpipe("status", "job-of-nobody").err
    assert "no job is called so" in told
    assert "[0-9a-f]" not in told
