"""For the machinery around the service."""

from __future__ import annotations

import shutil

from fastapi import APIRouter, Response

from dlpipe.service.api import metrics as prometheus
from dlpipe.service.api.access import Administrator
from dlpipe.service.api.catalogue import ALIVE_SECONDS
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(service: Service) -> dict[str, str]:
    """The database answers too, and the server is not about to end."""
    if service.draining.is_set():
        raise Problem(503, "the server is about to end")
    if not service.database.answers():
        raise Problem(503, "the database does not answer")
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
def metrics(caller: Administrator, service: Service) -> Response:
    """For Prometheus, which is given an administrator's token."""
    del caller
    with service.database.read() as session:
        found = prometheus.look(session, service.database.now(session), ALIVE_SECONDS)
    service.metrics.ended(service.database)
    disk = shutil.disk_usage(service.places.root)
    return Response(service.metrics.text(found, disk.free, disk.total), media_type=prometheus.MEDIA_TYPE)
