"""What the service converts for and with, and who does the work: workers, and the boards of the farm."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dlpipe.service.api import boards, catalogue
from dlpipe.service.api.state import Service
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import Signed

router = APIRouter()


@router.get("/health")
def health(request: Request, visitor: Signed, service: Service) -> Response:
    """Workers are an administrator's to see, as in the API."""
    return page(
        request,
        "health",
        visitor,
        workers=catalogue.workers(visitor.caller, service) if visitor.may("admin") else None,
        boards=boards.boards(visitor.caller, service),
        targets=catalogue.targets(visitor.caller),
        backends=catalogue.backends(visitor.caller),
    )
