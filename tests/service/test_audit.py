"""The audit log: who did what, with the change or not at all; nobody edits it, and it holds no secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dlpipe.service.accounts import first_administrator, make_team
from dlpipe.service.audit import Actor, Wanted, find, record
from dlpipe.service.database import Database, open_database
from dlpipe.service.gc import DAY, collect, trim_audit
from dlpipe.service.places import Places
from dlpipe.service.refusals import Refusals
from dlpipe.service.turned_away import ROWS, TurnedAway
from tests.service.test_agents import ABOUT
from tests.service.web.test_session import cookie, csrf, look, sign_in

from .running import ADMINISTRATOR, Service


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "x.sqlite")
    opened.migrate()
    yield opened
    opened.close()


def log(service: Service, **wanted: Any) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    return list(service.ask("GET", f"/audit?limit=1000&{query}").json["entries"])


def told(service: Service, **wanted: Any) -> list[tuple[str, str]]:
    """The oldest first."""
    return [(each["action"], each["subject"]) for each in log(service, **wanted)][::-1]


def newest(service: Service) -> int:
    return max((each["id"] for each in log(service)), default=0)


def test_what_a_team_does_is_told(idle: Service) -> None:
    token = idle.token("doers", "read", "submit", "board")
    hostile = "<script>alert(1)</script>\u202e"
    model = {"files": {hostile.replace("/", ""): idle.upload(b"{hostile", token=token)}, "entry": "."}
    job = idle.submit(token=token, model=model, label=hostile).json["id"]
    idle.ask("POST", f"/jobs/{job}/cancel", token=token)
    idle.ask("POST", f"/jobs/{job}/retry", token=token)
    idle.ask("POST", f"/jobs/{job}/cancel", token=token)
    out = idle.data / "jobs" / job / "0" / "out"
    out.mkdir(parents=True)
    idle.ask("DELETE", f"/jobs/{job}", token=token)
    spare = idle.upload(b"spare", token=token)
    idle.ask("DELETE", f"/uploads/{spare}", token=token)
    idle.ask("POST", "/boards", {**ABOUT, "name": "audited"}, token=token)
    assert told(idle, team="doers") == [
        ("job.submit", job),
        ("job.cancel", job),
        ("job.retry", job),
        ("job.cancel", job),
        ("job.remove", job),
        ("upload.remove", spare),
        ("board.register", "audited"),
    ]
    (submitted,) = log(idle, team="doers", action="job.submit")
    assert submitted["details"] == {"title": hostile, "label": hostile, "targets": ["x86-64"], "backends": []}
    assert {key: submitted[key] for key in ("actor", "via", "address", "outcome", "scopes")} == {
        "actor": "a test",
        "via": "token",
        "address": "127.0.0.1",
        "outcome": "done",
        "scopes": ["board", "read", "submit"],
    }
    shown = idle.ok("service", "audit", "--team", "doers").out
    assert "job.submit" in shown
    assert "\u202e" not in shown, "a name does not turn the terminal's text round"


def test_what_an_administrator_does_is_told(idle: Service) -> None:
    before = newest(idle)
    idle.ask("POST", "/teams", {"name": "audited"})
    team = next(each["id"] for each in idle.ask("GET", "/teams").json if each["name"] == "audited")
    idle.ask("PATCH", f"/teams/{team}", {"max_waiting": 7, "max_memory": None})
    made = idle.ask("POST", "/tokens", {"team": "audited", "name": "ci", "scopes": ["read"], "days": 2}).json
    idle.ask("DELETE", f"/tokens/{made['id']}")
    idle.ask("POST", "/boards", {**ABOUT, "name": "shared"}, token=idle.token("board owners", "board"))
    idle.ask("PATCH", "/boards/shared", {"disabled": True, "teams": ["audited"]})
    idle.ask("DELETE", "/boards/shared")
    found = [each for each in log(idle) if each["id"] > before][::-1]
    assert [(each["action"], each["subject"]) for each in found if each["actor"] != "a test"] == [
        ("team.create", "audited"),
        ("team.change", "audited"),
        ("token.create", "ci of audited"),
        ("token.revoke", "ci of audited"),
        ("team.create", "board owners"),
        ("token.create", "a test of board owners"),
        ("board.change", "shared"),
        ("board.remove", "shared"),
    ]
    details = {each["action"]: each["details"] for each in found[:4]}
    assert details["team.change"] == {"max_waiting": 7, "max_memory": None}
    assert details["token.create"] == {"token": made["id"], "scopes": "read", "days": 2}
    assert {each["actor"] for each in found} == {"first administrator", "a test"}
    assert told(idle, action="service.start")[0] == ("service.start", "")


def test_who_signs_in_and_who_is_not_let_in(idle: Service) -> None:
    before = newest(idle)
    token = idle.token("visitors", "read")
    mine = cookie(idle, token)
    form = f"csrf={csrf(idle, mine)}".encode()
    look(idle, "//admin", mine)
    look(idle, "/tokens", mine)
    look(idle, "/teams", mine, "POST", {"name": "x"}, **{"Sec-Fetch-Site": "cross-site"})
    look(idle, "//logout", mine, "POST", form, **{"Sec-Fetch-Site": "same-origin"})
    assert sign_in(idle, "dlp_a-wrong-secret-that-is-kept-nowhere").status == 401
    assert idle.ask("GET", "/jobs?q=x", token="dlp_another-wrong-secret-kept-nowhere").status == 401
    assert idle.ask("POST", "/jobs", {}, token=token).status == 403
    assert idle.ask("GET", "/jobs", token=None).status == 401, "who shows nothing has tried nothing"
    found = [each for each in log(idle) if each["id"] > before][::-1]
    assert [(each["action"], each["subject"], each["via"], each["team"]) for each in found[2:]] == [
        ("session.start", "", "token", "visitors"),
        ("access.refused", "GET /admin", "session", "visitors"),
        ("access.refused", "GET /api/v1/tokens", "session", "visitors"),
        ("access.refused", "POST /api/v1/teams", "session", "visitors"),
        ("session.end", "", "session", "visitors"),
        ("sign-in.refused", "POST /login", "nothing", None),
        ("sign-in.refused", "GET /api/v1/jobs", "nothing", None),
        ("access.refused", "POST /api/v1/jobs", "token", "visitors"),
    ]
    assert all(each["outcome"] == ("refused" if "refused" in each["action"] else "done") for each in found)
    assert found[-1]["details"] == {"status": 403, "reason": "this token has not the scope submit"}
    kept = b"".join(path.read_bytes() for path in idle.data.glob("service.sqlite*"))
    for secret in (token, ADMINISTRATOR, mine.partition("=")[2], form.decode()[5:], "wrong-secret"):
        assert secret.encode() not in kept


def test_it_is_read_in_pages_and_only_added_to(idle: Service) -> None:
    for number in range(5):
        idle.ask("POST", "/teams", {"name": f"page {number}"})
    assert told(idle, action="team.create", actor="first%20administrator")[-5:] == [
        ("team.create", f"page {number}") for number in range(5)
    ]
    seen: list[int] = []
    after = ""
    while True:
        page = idle.ask("GET", f"/audit?limit=2{after}").json
        seen += [each["id"] for each in page["entries"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == sorted(seen, reverse=True) == [each["id"] for each in log(idle)][: len(seen)]
    assert log(idle, until="2020-01-01T00:00:00Z") == log(idle, since="2999-01-01T00:00:00Z") == []
    assert len(log(idle, since="2020-01-01T00:00:00Z", until="2999-01-01T00:00:00Z")) == len(seen)
    for bad in ("action=none", "since=yesterday", "since=2026-01-01T00:00:00", "limit=0", "team=%00"):
        assert idle.ask("GET", f"/audit?{bad}").status == 422, bad
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert idle.ask(method, "/audit", {}).status == 405
        assert idle.ask(method, f"/audit/{seen[-1]}", {}).status == 404
    assert idle.ok("service", "audit", "--limit", 1000, "--json").json == log(idle)
    assert idle.dlpipe("service", "audit", "--action", "none").code == 2


def test_downloads_are_told_before_they_begin(idle: Service) -> None:
    from dlpipe.service.queue import Outcome, Queue

    token = idle.token("downloaders", "read", "submit")
    job = idle.submit(token=token, priority=100).json["id"]
    database = open_database(idle.data / "service.sqlite")
    queue = Queue(database)
    while (lease := queue.lease("w")) is not None and lease.name != job:
        queue.finish(lease, Outcome(2))
    assert lease is not None
    out = idle.data / "jobs" / job / "1" / "out"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text('{"files": {"m.onnx": {"sha256": "0a", "size": 1}}}')
    for name in ("m.onnx", "report.json", "report.html"):
        (out / name).write_text("x")
    queue.finish(lease, Outcome(0, None, written=True))
    database.close()
    for path in (
        "artifacts/m.onnx",
        "artifacts/none",
        "artifacts.zip",
        "report.json",
        "report.html",
        "",
        "/stages",
        "logs",
    ):
        idle.ask("GET", f"/jobs/{job}/{path}".rstrip("/"), token=token)
    found = [(each["action"], each["details"]["file"]) for each in log(idle, team="downloaders")[::-1][1:]]
    assert found == [
        ("artifact.download", "m.onnx"),
        ("artifact.download", f"{job}.zip"),
        ("report.download", "report.json"),
        ("report.download", "report.html"),
    ]


def test_neither_is_there_without_the_other(database: Database) -> None:
    """A change that is taken back takes its row along."""
    with suppress(ZeroDivisionError), database.write() as session:
        first_administrator(session, "x" * 20, 1.0)
        make_team(session, "gone", 1.0)
        record(session, 1.0, Actor("me", "token"), "team.create", "gone")
        session.flush()
        raise ZeroDivisionError
    with database.read() as session:
        assert find(session, Wanted(), 10) == []


def test_only_old_rows_go_and_only_where_that_is_asked_for(database: Database, tmp_path: Path) -> None:
    now = time.time()
    with database.write() as session:
        first_administrator(session, "x" * 20, now)
        for days in (500, 400, 1):
            record(
                session, now - days * DAY, Actor("a" * 999, "token", "b\0" * 999), "team.create", f"{days}" + "c" * 999
            )
    collect(database, Places(tmp_path, tmp_path / "x.sqlite"), 0.0)
    me = Actor.of_command()
    assert trim_audit(database, 450, actor=me, dry_run=True) == 1
    assert trim_audit(database, 450, actor=me) == 1
    assert trim_audit(database, 450, actor=me) == 0
    with database.read() as session:
        trimmed, young, middle = find(session, Wanted(), 10)
    assert (trimmed.action, trimmed.actor, trimmed.details["rows"]) == ("audit.trim", me.name, 1)
    assert [each.subject[:3] for each in (young, middle)] == ["1cc", "400"]
    assert (len(young.actor), len(young.subject), len(young.address)) == (128, 300, 128)
    assert "\0" not in young.address


def test_nobody_fills_it_with_refusals(database: Database) -> None:
    refusals = Refusals(database)
    for _ in range(500):
        refusals.note(Actor("nobody", "nothing", "192.0.2.1"), "sign-in.refused", "GET /", 401, "unknown")
    refusals.note(Actor("nobody", "nothing", "192.0.2.2"), "sign-in.refused", "GET /", 401, "unknown")
    with database.read() as session:
        rows = find(session, Wanted(), 1000)
    assert 61 <= len(rows) < 200
    assert (
        rows[0].details["left_out"] + len(rows) - 1 + sum(each.details.get("left_out", 0) for each in rows[1:]) == 500
    )


def test_nobody_fills_it_with_requests_that_the_gate_refuses(database: Database) -> None:
    turned_away = TurnedAway(database)
    for number in range(300):
        for _ in range(number % 30 + 1):
            turned_away.count(f"192.0.2.{number % 200}", 429, "too often")
    for _ in range(5000):
        turned_away.count("2001:db8::1", 421, "another name")
    turned_away.write()
    turned_away.write()
    with database.read() as session:
        rows = find(session, Wanted(), 1000)
    assert len(rows) == ROWS + 1
    assert (rows[0].subject, rows[0].details["addresses"]) == ("others", 181)
    assert (rows[-1].address, rows[-1].subject) == ("2001:db8::/64", "another name")
    assert rows[-1].details == {"status": 421, "requests": 5000}
    assert sum(each.details["requests"] for each in rows) == 5000 + sum(n % 30 + 1 for n in range(300))


def test_commands_beside_the_data_are_told(idle: Service, tmp_path: Path) -> None:
    before = newest(idle)
    idle.ok("service", "backup", tmp_path / "b.tar")
    idle.ok("service", "gc", "--keep-days", 3650, "--keep-audit-days", 3650)
    (backup,) = [each for each in log(idle, action="service.backup") if each["id"] > before]
    assert (backup["via"], backup["subject"], backup["team"]) == ("command", str(tmp_path / "b.tar"), None)
    environment = {"DLPIPE_DATA_DIR": str(tmp_path / "new")}
    assert idle.user.dlpipe("service", "restore", tmp_path / "b.tar", env=environment).code == 0
    restored = idle.user.dlpipe("service", "audit", "--json", env=environment).json
    assert restored[0]["action"] == "service.restore"
    assert [each["id"] for each in restored[1:]] == [each["id"] for each in log(idle) if each["id"] <= before]
