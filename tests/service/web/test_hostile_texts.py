"""Every text that comes from a model, a tool, a board or a user is hostile at once, in every page: nothing of it
becomes an element, an attribute, a script or a link. What the policy would have stopped counts as a fault too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from pydantic import ValidationError
from sqlalchemy import select

from dlpipe.pipeline.lineage import FILE, ArtifactEntry, Lineage, RunEntry, StageEntry
from dlpipe.report.html import render_html
from dlpipe.report.schema import Report
from dlpipe.service.database import open_database
from dlpipe.service.places import Places
from dlpipe.service.tables import AuditRow, Job, JobEvent, WorkerRow
from tests.report.factory import sample_report
from tests.service.running import Service
from tests.service.test_agents import ABOUT

from .visiting import Visit, visiting

# Out of a tag's text, of attributes of both kinds, of what is taken as text alone, of a script; a template, a gap.
HOSTILE = (
    "\"><xss-mark onload=x>'xss-mark='1' xss-mark=\"1\" </script></title></textarea></style></svg>"
    "<script>window.hit=1</script><img src=x onerror=window.hit=1>{{7*7}}{stage}%00javascript:hit=1\u202e"
)
NAME = HOSTILE.replace("/", "").replace(":", "").replace("\\", "")  # as a file's may be
BROKEN_OUT = r"""() => {
  const made = [...document.querySelectorAll("xss-mark, [xss-mark], [onload], [onerror], script:not([src])")];
  const leads = each => each.href ?? each.src ?? each.action;
  const all = [...document.querySelectorAll("[href], [src], [action]")];
  const links = all.filter(each => typeof leads(each) === "string");
  const told = each => each.outerHTML.slice(0, 200);
  const text = document.body.innerText;
  return {
    hit: window.hit ?? null,
    elements: made.filter(each => each.type !== "application/json").map(told),
    links: links.filter(each => !/^(http:..127[.]0[.]0[.]1:|data:,?|#)/.test(leads(each))).map(told),
    computed: /[^0-9.]49[^0-9.%]*javascript/.test(text),
    shown: text.includes("xss-mark onload") || document.documentElement.innerHTML.includes("&lt;xss-mark"),
  };
}"""


def poisoned(report: Report) -> Report:
    """Each text of it that may be any text, wherever it stands, is hostile: it begins as it did, so that what belongs
    together still does."""

    def texts(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {each for part in value.values() for each in texts(part)}
        if isinstance(value, list):
            return {each for part in value for each in texts(part)}
        return {value} if isinstance(value, str) else set()

    def put(value: Any, old: str, new: str, keys: bool) -> Any:
        if isinstance(value, dict):
            return {(new if keys and key == old else key): put(part, old, new, keys) for key, part in value.items()}
        if isinstance(value, list):
            return [put(part, old, new, keys) for part in value]
        return new if value == old else value

    data = report.model_dump(mode="json")
    for text in sorted(texts(data)):
        for keys in (True, False):
            changed = put(data, text, text + NAME, keys)
            try:
                Report.model_validate(changed)
            except (ValidationError, ValueError):
                continue
            data = changed
            break
    return Report.model_validate(data)


@pytest.fixture(scope="module")
def jobs(idle: Service) -> list[str]:
    """Two that have a result, one that failed."""
    token = idle.token("victims", "read", "submit", "board")
    board = {**ABOUT, "name": "hostile"} | dict.fromkeys(("system", "processor", "governor"), HOSTILE[:200])
    board |= {"libc": "<xss-mark>", "python": "<xss-mark>"}
    assert idle.ask("POST", "/boards", board, token=token).status == 201
    model = {"files": {NAME[:200]: idle.upload(b"{hostile", token=token)}, "entry": NAME[:200]}
    made = [idle.submit(token=token, model=model, label=HOSTILE[:190]).json["id"] for _ in range(3)]
    report = poisoned(sample_report())
    assert report.source.path.endswith(NAME)
    places = Places(idle.data, idle.data / "service.sqlite")
    database = open_database(places.database)
    with database.write() as session:
        now = database.now(session)
        for name in made:
            job = session.scalars(select(Job).where(Job.name == name)).one()
            job.state, job.attempt, job.started, job.finished = "succeeded", 1, now, now
            job.result = 1
            out = places.attempt(name, 1) / "out"
            lay(out, report)
            (out.parent / "log.txt").write_text(HOSTILE + "\n")
            for kind in ("import", "compile", HOSTILE):
                named = {"stage": f"{kind} {HOSTILE}", "kind": kind}
                queued = {**named, "after": [f"import {HOSTILE}"] if kind != "import" else []}
                session.add(JobEvent(job_id=job.id, attempt=1, time=now, kind="StageQueued", data=queued))
                session.add(JobEvent(job_id=job.id, attempt=1, time=now, kind="StageStarted", data=named))
                said = {**named, "message": HOSTILE, "fraction": 0.5}
                session.add(JobEvent(job_id=job.id, attempt=1, time=now, kind="StageProgress", data=said))
        job.state, job.result = "failed", None
        job.error = {"error": HOSTILE, "message": HOSTILE, "hint": HOSTILE, "exit_code": 4, "where": {HOSTILE: HOSTILE}}
        session.add(WorkerRow(name=HOSTILE[:128], started=now, seen=now))
        told = {"actor": HOSTILE[:128], "token": 1, "scopes": "", "via": "token", "address": HOSTILE[:128]}
        row = {**told, "subject": HOSTILE, "outcome": "refused", "details": {HOSTILE: HOSTILE}}
        session.add(AuditRow(time=now, team=HOSTILE[:64], action="job.submit", **row))
        team = job.team_id
    database.close()
    steps = tuple(
        StageEntry(stage=f"{n}{NAME}", kind=NAME, key="k", output=o, inputs=i, parameters={}, toolchains={NAME: "9"})
        for n, o, i in (("a", "b" * 64, {NAME: "a" * 64}), ("c", "c" * 64, {NAME: "b" * 64}))
    )
    first = next(each for each in report.artifacts if each.digest)
    entry = ArtifactEntry(
        digest="c" * 64, target=NAME, backend=NAME, variant=NAME, verdict=first.verdict, path=first.path
    )
    run = RunEntry(
        run=report.run, created="2026-11-23T12:00:00+00:00", command=NAME, sources={NAME: "a" * 64}, stages=steps,
        artifacts=(entry,), measurements=(),
    )  # fmt: skip
    Lineage(places.cache(team) / FILE).record_run(run)
    return [token, *made]


def lay(out: Path, report: Report) -> None:
    out.mkdir(parents=True)
    chosen = next(each for each in report.artifacts if each.digest)
    changed = report.model_dump(mode="json")
    for each in changed["artifacts"]:
        each["digest"] = "c" * 64 if each["path"] == chosen.path else each["digest"]
    (out / "report.json").write_text(json.dumps(changed))
    (out / "report.html").write_text(render_html(Report.model_validate(changed)))
    files = {name: {"sha256": "0" * 64, "size": 3} for name in (f"artifacts/{NAME}", f"{chosen.path}/{NAME}", NAME)}
    (out / "manifest.json").write_text(json.dumps({"files": files}))


def nothing_broke_out(visit: Visit, path: str, *, shows: bool = True) -> None:
    visit.go(path)
    visit.page.wait_for_load_state("networkidle")
    visit.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    found = visit.page.evaluate(BROKEN_OUT)
    assert found == {"hit": None, "elements": [], "links": [], "computed": False, "shown": shows}, path


def test_nothing_hostile_breaks_out_of_a_page(chromium: Browser, idle: Service, jobs: list[str]) -> None:
    """In Chinese, where texts are looked up and their gaps filled."""
    token, first, second, failed = jobs
    with visiting(chromium, idle, locale="zh-CN", expected=("404", "EventSource")) as visit:
        visit.sign_in(token)
        for path in ("/", "/?q=xss-mark&state=succeeded", f"/jobs/{first}", f"/jobs/{failed}", "/health"):
            nothing_broke_out(visit, path)
        nothing_broke_out(visit, f"/jobs/{first}/compare?other={second}")
        nothing_broke_out(visit, f"/jobs/{first}/lineage")
        for language in ("en", "zh"):
            nothing_broke_out(visit, f"/api/v1/jobs/{first}/report.html?lang={language}")
        for path in ("/new", "/nowhere/%22%3E%3Cxss-mark%3E", "/?q=%22%3E%3Cxss-mark%20onload=x%3E"):
            nothing_broke_out(visit, path, shows="q=" in path)
    with visiting(chromium, idle, locale="zh-CN") as visit:
        visit.sign_in()
        for path in ("/health", "/audit", "/audit?actor=%22%3E%3Cxss-mark%20onload=x%3E"):
            nothing_broke_out(visit, path)
        nothing_broke_out(visit, "/admin", shows=False)
        visit.context.clear_cookies()
        nothing_broke_out(visit, "/login?next=/%22%3E%3Cxss-mark%20onload=x%3E")
