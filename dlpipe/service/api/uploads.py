"""Files, by their SHA-256. A file that the team has sent before is not sent again."""

from __future__ import annotations

import errno
import re
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from dlpipe.service import asked
from dlpipe.service.api import admission
from dlpipe.service.api.access import Submitter
from dlpipe.service.api.forms import DIGEST
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service
from dlpipe.service.audit import Actor
from dlpipe.service.quotas import room
from dlpipe.service.removing import NotThere, StillNeeded, remove_upload
from dlpipe.service.uploads import Received

router = APIRouter(prefix="/uploads", tags=["uploads"])
Digest = Annotated[str, Path(pattern=DIGEST)]
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class Announced(BaseModel):
    model_config = ConfigDict(extra="forbid")
    digests: list[asked.Digest] = Field(max_length=1000)


class Missing(BaseModel):
    """`missing`: digest -> how many bytes of it are here, for those that are not here in full."""

    missing: dict[str, int]


@router.post("")
def announce(announced: Announced, caller: Submitter, service: Service) -> Missing:
    """What of these files has yet to be sent, and from where on."""
    uploads = service.uploads(caller.team)
    found = {digest: uploads.received(digest) for digest in announced.digests}
    return Missing(
        missing={digest: each.size if each else 0 for digest, each in found.items() if not (each and each.complete)}
    )


@router.head("/{digest}", status_code=204)
def uploaded(digest: Digest, caller: Submitter, service: Service) -> Response:
    """How much of a file is here: `Upload-Offset`, and `Upload-Complete`: ?1 or ?0. 404 where nothing is."""
    received = service.uploads(caller.team).received(digest)
    if received is None:
        raise Problem(404, "nothing of this file has been uploaded")
    return _told(received, 204)


@router.put("/{digest}", status_code=201)
async def upload(
    digest: Digest,
    caller: Submitter,
    service: Service,
    request: Request,
    content_range: Annotated[str | None, Header()] = None,
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> Response:
    """Send a file, or with `Content-Range: bytes FIRST-LAST/TOTAL` the rest of one whose connection broke.

    201 once it is complete and its digest is right, 202 while something is missing, 409 with `Upload-Offset` where it
    stands elsewhere, 422 where the content is another.
    """
    if content_range is not None:
        match = _RANGE.fullmatch(content_range)
        if match is None or not int(match[1]) <= int(match[2]) < int(match[3]):
            raise Problem(400, "Content-Range is to be: bytes FIRST-LAST/TOTAL")
        start, total = int(match[1]), int(match[3])
    elif content_length is not None:
        start, total = 0, content_length
    else:
        raise Problem(411, "Content-Length or Content-Range is wanted")
    uploads = service.uploads(caller.team)
    had = uploads.room(digest)
    promise = await run_sync(admission.promise, service, caller.team, "uploads", max(0, room(total) - had))
    try:
        received = await uploads.take(digest, start, total, request.stream())
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it; what has come is kept
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Problem(507, "the service's disk is full: what has come is kept") from error
    finally:
        service.usage.kept(promise, uploads.room(digest) - had)
    return _told(received, 201 if received.complete else 202)


@router.delete("/{digest}", status_code=204)
def remove(digest: Digest, caller: Submitter, service: Service) -> None:
    """What was uploaded, if only a part. 409 while a job that waits or runs needs it, or somebody sends it."""
    uploads = service.uploads(caller.team)
    size = uploads.room(digest)
    try:
        remove_upload(service.database, uploads, caller.team, digest, Actor.of(caller))
    except NotThere:
        raise Problem(404, "nothing of this file has been uploaded") from None
    except StillNeeded as error:
        raise Problem(409, str(error)) from None
    service.usage.changed(caller.team, "uploads", -size)


def _told(received: Received, status: int) -> Response:
    headers = {"Upload-Offset": str(received.size), "Upload-Complete": "?1" if received.complete else "?0"}
    return Response(status_code=status, headers=headers)
