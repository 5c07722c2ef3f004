"""The team's jobs, one job while it runs and after, and two beside each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dlpipe.report import tradeoff
from dlpipe.report.schema import Report
from dlpipe.service.api import jobs as api
from dlpipe.service.api import results
from dlpipe.service.api.forms import JOB_ID
from dlpipe.service.api.jobs import JobId
from dlpipe.service.api.state import Service
from dlpipe.service.asked import WITHOUT_NUL
from dlpipe.service.queue import FINAL
from dlpipe.service.queue import State as JobState
from dlpipe.service.web.drawing import drawing
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import Signed

router = APIRouter()
PAGE = 25
STATES = ("queued", "running", *FINAL)


@router.get("/")
def jobs(
    request: Request,
    visitor: Signed,
    service: Service,
    state: str = "",
    q: Annotated[str, Query(max_length=200, pattern=WITHOUT_NUL)] = "",
    after: Annotated[int | None, Query(ge=0, le=1 << 31)] = None,
) -> Response:
    known: JobState | None = next((each for each in STATES if each == state), None)
    found = api.jobs(visitor.caller, service, known, q, PAGE, after)
    return page(
        request, "jobs", visitor, jobs=found.jobs, next=found.next, q=q, state=known, states=STATES, first=after is None
    )


@router.get("/jobs/{id}")
def job(request: Request, id: JobId, visitor: Signed, service: Service) -> Response:
    found = api.job(id, visitor.caller, service)
    stages = api.job_stages(id, visitor.caller, service)
    report = _report(service, visitor, id) if found.has_result else None
    others = [each for each in api.jobs(visitor.caller, service, None, None, 50, None).jobs if each.has_result]
    return page(
        request,
        "job",
        visitor,
        job=found,
        ended=found.state in FINAL,
        stages=stages,
        drawn=drawing(stages),
        seen=api.last_event(id, visitor.caller, service),
        report=report,
        tradeoffs=tradeoff.tradeoffs(report) if report is not None else [],
        files=results.manifest(service, visitor.caller, id)["files"] if found.has_result else {},
        others=[each for each in others if each.id != found.id],
    )


def _report(service: Service, visitor: Signed, id: str) -> Report:
    return Report.read(results.out_folder(service, visitor.caller, id))


@router.get("/jobs/{id}/compare")
def compare(
    request: Request, id: JobId, other: Annotated[str, Query(pattern=JOB_ID)], visitor: Signed, service: Service
) -> Response:
    found = results.compare(id, other, visitor.caller, service)
    before, now = (api.job(each, visitor.caller, service) for each in (id, other))
    reports = [_report(service, visitor, each) for each in (id, other)]
    return page(request, "compare", visitor, before=before, now=now, reports=reports, differences=found.differences)


@router.get("/jobs/{id}/lineage")
def lineage(request: Request, id: JobId, visitor: Signed, service: Service) -> Response:
    found = results.lineage(id, visitor.caller, service)
    return page(request, "lineage", visitor, job=api.job(id, visitor.caller, service), origins=found)
