"""For the agents of boards (`dlpipe agent --server`): register, ask for work, bring the result.

A board sees the files of the tasks that it has leased, while it has; every other task, and every other file, answers as
one that does not exist.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import secrets
import time
from pathlib import Path as File
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import ClientDisconnect

from dlpipe.service.api.access import BoardAgent
from dlpipe.service.api.admission import promise
from dlpipe.service.api.boards import BoardName
from dlpipe.service.api.forms import DIGEST, TASK_ID
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, State
from dlpipe.service.asked import WITHOUT_NUL, Digest, Word
from dlpipe.service.farm import boards as farm
from dlpipe.service.farm.openings import POLL_SECONDS, Opening
from dlpipe.service.farm.tasks import Given
from dlpipe.service.quotas import Promise

router = APIRouter(tags=["agents of boards"])
OUTPUTS = "/board-outputs/"
VERSION = 4  # of the agent's program that this service works with
TaskId = Annotated[str, Path(pattern=TASK_ID)]
DigestPart = Annotated[str, Path(pattern=DIGEST)]
LeaseHeader = Annotated[str, Header(alias="Board-Lease", max_length=64)]
Said = Annotated[str, Field(max_length=200, pattern=WITHOUT_NUL)]
_sending: set[str] = set()  # tasks: each may fill so much of the disk as one upload
_FIRST_LOOK = 0.02  # seconds until the next look for work


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class About(_Strict):
    """What a board says of itself."""

    agent: int
    name: Annotated[str, Field(pattern=farm.NAME, max_length=64)]
    target: Word
    machine: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")]
    system: Said
    processor: Said
    governor: Said | None
    isa: list[Annotated[str, Field(max_length=64, pattern=r"^[\x21-\x7e]+$")]] = Field(max_length=1000)
    cores: int = Field(ge=1, le=1 << 20)
    memory: int = Field(ge=0, le=1 << 60)
    libc: Annotated[str, Field(max_length=64, pattern=WITHOUT_NUL)]
    python: Annotated[str, Field(max_length=64, pattern=WITHOUT_NUL)]
    runtimes: list[Annotated[str, Field(max_length=64, pattern=r"^\w+$")]] = Field(max_length=64)


class Registered(_Strict):
    """`session` names this agent from now on; one that registers later under the same name takes its place."""

    session: str


class Poll(_Strict):
    """`seconds`: how long the question may stay open."""

    session: str = Field(max_length=64)
    seconds: float = Field(default=20, ge=0, le=30, allow_inf_nan=False)


class Task(BaseModel):
    """`sizes` in bytes. `house` changes with whose artefacts are worked on. The rest is as in the agent's program."""

    id: str
    lease: str
    lease_seconds: float
    house: str
    operation: str
    artifact: str
    samples: str
    sizes: dict[str, int]
    code: dict[str, str]
    guest: str
    seconds: float
    handle: str | None = None
    warmup: int | None = None
    runs: int | None = None


class Lease(_Strict):
    lease: str = Field(max_length=64)


class Fault(_Strict):
    status: int
    message: str = Field(max_length=1000)


class Result(Lease):
    """One of `answer` (with `outputs`, the digest of what was sent before, after a run), `error` and `stopped`."""

    answer: dict[str, Any] | None = None
    outputs: Digest | None = None
    error: Fault | None = None
    stopped: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Result:
        if sum(each is not None for each in (self.answer, self.error, self.stopped)) != 1:
            raise ValueError("one of answer, error and stopped is wanted")
        return self


@router.post("/boards", status_code=201)
def register(about: About, caller: BoardAgent, service: Service) -> Registered:
    """A board that is new, or back. It works for the token's team."""
    if about.agent != VERSION:
        raise Problem(422, f"this service works with agents of version {VERSION}: dlpipe agent --export agent.py")
    with service.database.write() as session:
        service.database.one_at_a_time(session)
        now = service.database.now(session)
        board = farm.register(session, caller, about.model_dump(), now)
        service.audit(session, caller, "board.register", board.name, target=board.target, fingerprint=board.fingerprint)
        return Registered(session=board.session)


@router.post("/boards/{name}/poll", responses={204: {"description": "nothing to do"}}, response_model=Task)
async def poll(name: BoardName, asked: Poll, caller: BoardAgent, service: Service, request: Request) -> Any:
    """The next task, as soon as there is one; 204 where there is none for `seconds`."""
    board = await run_sync(service.farm.seen, caller.token, name, asked.session)
    until = time.monotonic() + asked.seconds
    pause = POLL_SECONDS if board.hold is None else _FIRST_LOOK  # a timing's next question follows at once
    mine, found = frozenset({Opening(name, None), Opening(None, board.target)}), None
    while True:
        if found is None or found & mine:
            given = await run_sync(service.farm.lease, caller.token, name, asked.session)
            if given is not None:
                return _task(service, given)
        if time.monotonic() >= until or await request.is_disconnected():
            return Response(status_code=204)
        if pause < POLL_SECONDS:
            await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause *= 1.3
        else:
            found = await service.openings.next()


@router.post("/board-tasks/{id}/renew", status_code=204)
def renew(id: TaskId, asked: Lease, caller: BoardAgent, service: Service) -> None:
    """404: the work is not wanted any more."""
    service.farm.renew(caller.token, id, asked.lease)


@router.get("/board-tasks/{id}/files/{digest}", response_class=FileResponse)
def file(id: TaskId, digest: DigestPart, caller: BoardAgent, service: Service, lease: LeaseHeader) -> FileResponse:
    """A tar of the artefact's or the samples' folder."""
    with service.database.read() as session:
        task, _ = service.farm.held(session, caller.token, id, lease)
    path = _folder(service, task.folder) / digest
    if digest not in task.files.values() or not path.is_file():
        raise Problem(404, "the task has no such file")
    return FileResponse(path, media_type="application/x-tar")


@router.put(OUTPUTS + "{id}", status_code=204)
async def outputs(
    id: TaskId,
    caller: BoardAgent,
    service: Service,
    lease: LeaseHeader,
    request: Request,
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> Response:
    """The outputs.npz of a run, before its result. They count for the team that asked for it."""
    if content_length is None:
        raise Problem(411, "Content-Length is wanted")

    def check() -> tuple[File, int]:
        with service.database.read() as session:
            task, _ = service.farm.held(session, caller.token, id, lease)
            return _folder(service, task.folder), task.team_id

    folder, team = await run_sync(check)
    if id in _sending:
        raise Problem(409, "the outputs of this task are being sent already")
    _sending.add(id)
    try:
        promised = await run_sync(_promise, service, team, content_length)
    except BaseException:
        _sending.discard(id)
        raise
    came = 0
    part, size, found = folder / f"{id}-{secrets.token_hex(8)}.part", 0, hashlib.sha256()
    try:
        with part.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > service.max_upload:
                    raise Problem(413, f"outputs may have {service.max_upload} bytes")
                found.update(chunk)
                file.write(chunk)
        await run_sync(service.farm.sent, caller.token, id, lease, found.hexdigest())
        part.replace(folder / id)
        came = size
    except ClientDisconnect:
        return Response(status_code=400)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Problem(507, "the service's disk is full") from error
    finally:
        _sending.discard(id)
        service.usage.kept(promised, came)
        part.unlink(missing_ok=True)
    return Response(status_code=204)


@router.post("/board-tasks/{id}/result", status_code=204)
def result(id: TaskId, told: Result, caller: BoardAgent, service: Service) -> None:
    """Once."""
    if told.answer is not None:
        service.farm.finish(caller.token, id, told.lease, told.answer, told.outputs)
    elif told.error is not None:
        service.farm.fail(caller.token, id, told.lease, told.error.message)
    else:
        service.farm.give_back(caller.token, id, told.lease)


def _promise(service: State, team: int, size: int) -> Promise:
    """Raises Problem, which tells a board nothing of what the team has."""
    try:
        return promise(service, team, "jobs", size)
    except Problem as full:
        detail = f"the team that asked for it has no room for {size} bytes of outputs"
        raise Problem(full.status, detail) from None


def _folder(service: State, name: str) -> File:
    return service.places.root / name


def _task(service: State, given: Given) -> Task:
    folder = _folder(service, given.folder)
    sizes = {}
    for name, digest in given.files.items():
        try:
            sizes[name] = (folder / digest).stat().st_size
        except FileNotFoundError:  # the job has just ended; the agent is told when it asks for the file
            sizes[name] = 0
    about = {"id": given.name, "lease": given.lease, "lease_seconds": service.farm.lease_seconds}
    about |= {"house": given.house, "operation": given.operation, "sizes": sizes, "seconds": given.seconds}
    return Task.model_validate({**given.question, **given.files, **about})
