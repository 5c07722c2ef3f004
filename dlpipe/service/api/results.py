"""What a job leaves: its log, its report, its files. Only what the manifest of its output names is handed out."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse

from dlpipe.pipeline.regression import regressions
from dlpipe.pipeline.store import Lost
from dlpipe.report.html import render_html
from dlpipe.report.languages import language
from dlpipe.report.schema import Report
from dlpipe.service import child
from dlpipe.service.accounts import Caller
from dlpipe.service.api.access import Reader
from dlpipe.service.api.jobs import JobId, find_now
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, State
from dlpipe.service.api.views import Comparison
from dlpipe.service.archive import zipped
from dlpipe.service.audit import Action
from dlpipe.service.origins import Origin, origins

router = APIRouter(prefix="/jobs/{id}", tags=["results"])
MANIFEST = "manifest.json"
_LOG_BYTES = 1 << 20
_LOST = "the job's output is lost: ask for it again with retry, or submit it anew"
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


@router.get("/logs", response_class=Response)
def logs(
    id: JobId,
    caller: Reader,
    service: Service,
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    attempt: Annotated[int | None, Query(ge=1, le=1 << 31)] = None,
) -> Response:
    """The log of an attempt, by default the last one, from a byte on: whole lines, at most 1 MiB.
    `Log-Attempt` says which attempt, `Log-Offset` where to go on."""
    job = find_now(service, caller, id)
    which = job.attempt if attempt is None else min(attempt, job.attempt)
    text = b""
    try:
        with (service.places.attempt(job.name, which) / child.LOG).open("rb") as file:
            file.seek(offset)
            text = file.read(_LOG_BYTES)
    except FileNotFoundError:  # not begun yet, or on another machine
        if (shared := service.places.shared(job.team_id)) is not None:
            text = shared.read_log(job.name, which, offset, _LOG_BYTES)
    whole = text[: text.rfind(b"\n") + 1] or (text if len(text) == _LOG_BYTES else b"")
    headers = {"Log-Attempt": str(which), "Log-Offset": str(offset + len(whole))}
    return Response(whole, headers=headers, media_type="text/plain; charset=utf-8")


@router.get("/report.json", response_class=FileResponse)
def report(id: JobId, caller: Reader, service: Service) -> FileResponse:
    """As `dlpipe convert` writes it."""
    out = out_folder(service, caller, id)
    _handed_out(service, caller, "report.download", id, file="report.json")
    return FileResponse(out / "report.json", media_type="application/json")


@router.get("/report.html", response_class=HTMLResponse)
def report_page(id: JobId, caller: Reader, service: Service, lang: Literal["en", "zh"] = "en") -> Response:
    """As `dlpipe convert` writes it, or in Chinese."""
    out = out_folder(service, caller, id)
    policy = {"Content-Security-Policy": _REPORT_POLICY}
    _handed_out(service, caller, "report.download", id, file="report.html")
    if lang == "en":
        return FileResponse(out / "report.html", media_type="text/html", headers=policy)
    return HTMLResponse(render_html(Report.read(out), language(lang)), headers=policy)


@router.get("/artifacts", response_class=FileResponse)
def artifacts(id: JobId, caller: Reader, service: Service) -> FileResponse:
    """The output folder's manifest: every file with its SHA-256 and size."""
    return FileResponse(out_folder(service, caller, id) / MANIFEST, media_type="application/json")


@router.get("/artifacts.zip", response_class=StreamingResponse)
def archive(id: JobId, caller: Reader, service: Service) -> StreamingResponse:
    """All of them in one ZIP archive."""
    names = [*manifest(service, caller, id)["files"], MANIFEST]
    parts = zipped(out_folder(service, caller, id), id, names)
    _handed_out(service, caller, "artifact.download", id, file=f"{id}.zip", files=len(names))
    headers = {"Content-Disposition": f'attachment; filename="{id}.zip"'}
    return StreamingResponse(parts, media_type="application/zip", headers=headers)


@router.get("/compare/{other}")
def compare(id: JobId, other: JobId, caller: Reader, service: Service) -> Comparison:
    """What became of this job's chosen artefacts in the other one, as `dlpipe gate --baseline` tells it: `passed` is
    false for what got worse beyond noise, null where that cannot be told; `reason` says why."""
    before, now = (Report.read(out_folder(service, caller, each)) for each in (id, other))
    return Comparison(job=id, other=other, differences=list(regressions(before, now)))


@router.get("/lineage")
def lineage(id: JobId, caller: Reader, service: Service) -> list[Origin]:
    """What the job's artefacts were made of, as `dlpipe lineage` tells it."""
    found = Report.read(out_folder(service, caller, id))
    return origins(found, service.places.cache(caller.team))


@router.get("/artifacts/{path:path}", response_class=FileResponse)
def artifact(
    id: JobId,
    path: Annotated[str, Path(max_length=4096)],
    caller: Reader,
    service: Service,
) -> FileResponse:
    """One file. `Range` gives a part of it."""
    out = out_folder(service, caller, id)
    entry = manifest(service, caller, id)["files"].get(path)
    if entry is None:
        raise Problem(404, "the job has no such file")
    if not (out / path).is_file():
        raise Problem(404, _LOST)
    _handed_out(service, caller, "artifact.download", id, file=path, sha256=entry["sha256"])
    headers = {"ETag": f'"{entry["sha256"]}"', "Content-Disposition": "attachment"}
    return FileResponse(out / path, media_type="application/octet-stream", headers=headers)


def _handed_out(service: State, caller: Caller, action: Action, job: str, **details: Any) -> None:
    """Before the first byte is. Each part of a file that is asked for by itself counts."""
    with service.database.write(durable=False) as session:
        service.audit(session, caller, action, job, **details)


def out_folder(service: State, caller: Caller, id: str) -> File:
    """Raises Problem where the job has none."""
    job = find_now(service, caller, id)
    if job.result is None:
        raise Problem(404, f"the job is {job.state} and has no result")
    out = service.places.attempt(job.name, job.result) / child.OUT
    if (shared := service.places.shared(job.team_id)) is not None and not out.is_dir():
        try:
            shared.fetch_output(job.name, job.result, out, service.places.cache(job.team_id))
        except Lost as lost:
            raise Problem(404, _LOST) from lost
    if not out.is_dir():  # removed just now, or while the backup was written that this service comes of
        raise Problem(404, _LOST)
    return out


def manifest(service: State, caller: Caller, id: str) -> dict[str, Any]:
    """`files`: name -> {"sha256", "size"}. Raises Problem where the job has no output folder."""
    try:
        found: dict[str, Any] = json.loads((out_folder(service, caller, id) / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise Problem(404, _LOST) from None
    return found
