"""Which model, which device, what matters: the form for a new job. Its script uploads and asks the API."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dlpipe.service.api import catalogue
from dlpipe.service.web.rendering import page
from dlpipe.service.web.visitor import Signed

router = APIRouter()


@router.get("/new")
def new(request: Request, visitor: Signed) -> Response:
    visitor.need("submit")
    return page(request, "new", visitor, targets=catalogue.targets(visitor.caller))
