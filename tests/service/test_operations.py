"""What operates a service asks it: figures in Prometheus's format, and to end without losing anybody."""

from __future__ import annotations

import hashlib
import http.client
import math
import re
import signal
import socket
from pathlib import Path

from dlpipe.service.database import open_database
from dlpipe.service.queue import Outcome, Queue
from tests.e2e.user import make_user

from .running import ADMINISTRATOR, Service, eventually, serving

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
Labels = frozenset[tuple[str, str]]


def parsed(text: str) -> dict[str, dict[Labels, float]]:
    """Samples by name, held to the text format 0.0.4: each name's lines are together, behind its HELP and TYPE; a
    histogram's buckets grow, the last is +Inf and its count."""
    assert text.endswith("\n")
    found: dict[str, dict[Labels, float]] = {}
    kinds: dict[str, str] = {}
    family = ""
    for line in text.splitlines():
        if said := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
            family = said[1]
            assert family not in kinds, f"the lines of {family} are not together"
        elif kind := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
            assert kind[1] == family
            kinds[family] = kind[2]
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert sample[1] in {family + suffix for suffix in suffixes}, line
            pairs = LABEL.findall(sample[2] or "")
            assert ",".join(f'{name}="{value}"' for name, value in pairs) == (sample[2] or ""), line
            labels = frozenset(pairs)
            assert labels not in found.setdefault(sample[1], {}), f"twice: {line}"
            found[sample[1]][labels] = float(sample[3])
    for name in (name for name, kind in kinds.items() if kind == "histogram"):
        for labels, count in found[f"{name}_count"].items():
            mine = {dict(each)["le"]: n for each, n in found[f"{name}_bucket"].items() if labels <= each}
            bounds = sorted(mine, key=float)
            assert [mine[bound] for bound in bounds] == sorted(mine.values())
            assert (float(bounds[-1]), mine[bounds[-1]]) == (math.inf, count)
    return found


def figures(service: Service) -> dict[str, dict[Labels, float]]:
    answer = service.ask("GET", "//metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parsed(answer.body.decode())


def labels(**named: str) -> Labels:
    return frozenset(named.items())


def test_figures_for_prometheus(tmp_path: Path) -> None:
    with serving(make_user(tmp_path), tmp_path / "data", "--workers", 0) as service:
        assert "dlpipe_oldest_waiting_seconds" not in figures(service), "nothing waits"
        team = "a team. of-some"
        token = service.token(team, "read", "submit")
        for _ in range(3):
            assert service.submit(token=token).status == 201
        database = open_database(service.data / "service.sqlite")
        queue = Queue(database, lease_seconds=3600)
        first, _ = queue.lease("one"), queue.lease("two")
        assert first is not None
        found = figures(service)
        assert found["dlpipe_jobs"][labels(state="queued")] == 1
        assert found["dlpipe_team_jobs"][labels(team=team, state="queued")] == 1
        assert found["dlpipe_team_jobs"][labels(team=team, state="running")] == 2
        assert found["dlpipe_team_jobs"][labels(team="default", state="running")] == 0
        assert found["dlpipe_leases"][labels()] == 2
        assert found["dlpipe_oldest_waiting_seconds"][labels()] >= 0
        assert 0 < found["dlpipe_disk_free_bytes"][labels()] <= found["dlpipe_disk_bytes"][labels()]
        assert found["dlpipe_request_seconds_count"][labels()] >= 3
        assert found["dlpipe_job_seconds_count"][labels(state="succeeded")] == 0
        queue.finish(first, Outcome(0))
        ended = labels(state="succeeded")
        eventually(lambda: figures(service)["dlpipe_job_seconds_count"][ended] == 1)
        assert service.ask("DELETE", f"/jobs/{first.name}", token=token).status == 204
        assert figures(service)["dlpipe_job_seconds_count"][ended] == 1, "once counted, it stays"
        assert figures(service)["dlpipe_leases"][labels()] == 1
        database.close()


def test_it_ends_in_order(tmp_path: Path) -> None:
    """Told to end, it says so while it still listens; then nobody new gets in, and who is in is answered."""
    with serving(make_user(tmp_path), tmp_path / "data", "--workers", 0, "--drain", 3600) as service:
        assert service.process is not None
        job = service.submit().json["id"]
        given = {"Authorization": f"Bearer {ADMINISTRATOR}"}
        reader = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        reader.request("GET", f"/api/v1/jobs/{job}/events", headers=given)
        stream = reader.getresponse()
        assert stream.readline().startswith(b"id: ")
        content = b"x" * 100_000
        upload = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        upload.putrequest("PUT", f"/api/v1/uploads/{hashlib.sha256(content).hexdigest()}")
        for name, value in {**given, "Content-Length": str(len(content))}.items():
            upload.putheader(name, value)
        upload.endheaders(content[:50_000])

        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: service.ask("GET", "//readyz").status == 503)
        assert service.ask("GET", "//healthz").status == 200
        assert stream.read().endswith(b"retry: 3000\n\n"), "who follows a job is told to come again"
        again = service.ask("GET", f"/jobs/{job}/events")
        assert (again.status, again.body) == (200, b"retry: 3000\n\n"), "a browser gives up at any other status"

        service.process.send_signal(signal.SIGTERM)  # enough of that
        eventually(lambda: not _listens(service.port))
        assert service.process.poll() is None
        upload.send(content[50_000:])
        assert upload.getresponse().status == 201
        assert service.process.wait(60) == 0
        reader.close()
        upload.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True
