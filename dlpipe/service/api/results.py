"""What a job leaves: its log, its report, its files. Only what the manifest of its output names is handed out."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse

from dlpipe.pipeline.store import Lost
from dlpipe.service import child
from dlpipe.service.accounts import Caller
from dlpipe.service.api.access import Reader
from dlpipe.service.api.jobs import JobId, find_now
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, State

router = APIRouter(prefix="/jobs/{id}", tags=["results"])
MANIFEST = "manifest.json"
_LOG_BYTES = 1 << 20
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
    return FileResponse(_out(service, caller, id) / "report.json", media_type="application/json")


@router.get("/report.html", response_class=FileResponse)
def report_page(id: JobId, caller: Reader, service: Service) -> FileResponse:
    path = _out(service, caller, id) / "report.html"
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})


@router.get("/artifacts", response_class=FileResponse)
def artifacts(id: JobId, caller: Reader, service: Service) -> FileResponse:
    """The output folder's manifest: every file with its SHA-256 and size."""
    return FileResponse(_out(service, caller, id) / MANIFEST, media_type="application/json")


@router.get("/artifacts/{path:path}", response_class=FileResponse)
def artifact(
    id: JobId,
    path: Annotated[str, Path(max_length=4096)],
    caller: Reader,
    service: Service,
) -> FileResponse:
    """One file. `Range` gives a part of it."""
    out = _out(service, caller, id)
    entry = _manifest(out)["files"].get(path)
    if entry is None:
        raise Problem(404, "the job has no such file")
    headers = {"ETag": f'"{entry["sha256"]}"', "Content-Disposition": "attachment"}
    return FileResponse(out / path, media_type="application/octet-stream", headers=headers)


def _out(service: State, caller: Caller, id: str) -> File:
    job = find_now(service, caller, id)
    if job.result is None:
        raise Problem(404, f"the job is {job.state} and has no result")
    out = service.places.attempt(job.name, job.result) / child.OUT
    if (shared := service.places.shared(job.team_id)) is not None and not out.is_dir():
        try:
            shared.fetch_output(job.name, job.result, out, service.places.cache(job.team_id))
        except Lost as lost:
            raise Problem(404, "the job's output is lost: ask for it again with retry") from lost
    return out


def _manifest(out: File) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / MANIFEST).read_bytes())
    return found
