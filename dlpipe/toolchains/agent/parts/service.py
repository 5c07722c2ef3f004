"""The agent of a service's farm: it registers, asks for work, and brings results. It only calls; nothing listens."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, Any, Callable, Dict, List, Optional

from dlpipe.toolchains.agent.parts.board import Board
from dlpipe.toolchains.agent.parts.common import CHUNK, VERSION, Failed, check_digest, without_tokens
from dlpipe.toolchains.agent.parts.machine import entry, governor, processor

POLL = 20  # seconds that the service may keep a question for work open
PATIENCE = 60  # seconds without a byte
MAX_TOLD = 64 << 20  # bytes of an answer of the service that is no file
RUNTIMES = "numpy onnxruntime ncnn MNN ai_edge_litert tflite_runtime executorch cv2 paddle tvm openvino"
_WHICH = (
    "import importlib.util as u, json, sys;"
    "print(json.dumps([n for n in sys.argv[1:] if u.find_spec(n)]), sys.version.split()[0], sep='\\n')"
)
_AWAY = (urllib.error.URLError, HTTPException, ConnectionError, OSError)


class Refused(Exception):
    """By the service, with a status of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Away(Exception):
    """The service does not answer, or cannot now."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token is for this server alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Service:
    """Raises Refused, Away."""

    def __init__(self, server: str, token: str) -> None:
        self.server, self._token = server.rstrip("/"), token
        self._opener = urllib.request.build_opener(NoRedirects)

    def json(self, method: str, path: str, body: Any = None, seconds: float = PATIENCE) -> Any:
        """None for an answer without content."""
        data = json.dumps(body).encode() if body is not None else None
        answer = self._open(method, path, data, {"Content-Type": "application/json"}, seconds)
        try:
            with answer:
                said = answer.read(MAX_TOLD)
            return json.loads(said.decode()) if said else None
        except (ValueError, HTTPException, OSError) as error:
            raise Away(str(error)) from None

    def fetch(self, path: str, digest: str, lease: str, size: int, into: IO[bytes]) -> None:
        """A file of the service's. Raises Failed where it is another."""
        found, left = hashlib.sha256(), size
        with self._open("GET", path, None, {"Board-Lease": lease}, PATIENCE) as answer:
            while True:
                part = answer.read(CHUNK)
                if not part:
                    break
                left -= len(part)
                if left < 0:
                    break
                found.update(part)
                into.write(part)
        if found.hexdigest() != digest:
            raise Failed("the service sent something else than it named", 502)
        into.seek(0)

    def send(self, path: str, content: bytes, lease: str) -> None:
        head = {"Board-Lease": lease, "Content-Type": "application/octet-stream"}
        self._open("PUT", path, content, head, 600).close()

    def _open(self, method: str, path: str, data: Optional[bytes], headers: Dict[str, str], seconds: float) -> Any:
        own = {"Authorization": "Bearer " + self._token, "Accept": "application/json, */*"}
        own.update(headers)
        request = urllib.request.Request(self.server + "/api/v1" + path, data=data, method=method, headers=own)
        try:
            return self._opener.open(request, timeout=seconds)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    message = str(json.loads(error.read(MAX_TOLD).decode())["detail"])
                except (ValueError, KeyError, TypeError, OSError, HTTPException):
                    message = "status %d" % error.code
            if error.code == 429 or error.code >= 500:
                raise Away(message) from None
            raise Refused(error.code, message) from None
        except _AWAY as error:
            raise Away(str(getattr(error, "reason", error))) from None


class Lease:
    """Of one task: renewed beside the work, until `end`. `lost`: whoever asked does not wait any more, or another board
    has the task."""

    def __init__(self, service: Service, task: Dict[str, Any]) -> None:
        self._service, self._task = service, task
        self._lost, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def lost(self) -> bool:
        return self._lost.is_set()

    def end(self) -> None:
        self._done.set()
        self._thread.join()

    def _keep(self) -> None:
        seconds, told = float(self._task["lease_seconds"]), time.monotonic()
        while not self._done.wait(seconds / 4):
            try:
                where = "/board-tasks/%s/renew" % self._task["id"]
                self._service.json("POST", where, {"lease": self._task["lease"]}, seconds)
                told = time.monotonic()
            except Refused:
                self._lost.set()
                return
            except Away:
                if time.monotonic() - told > seconds:
                    self._lost.set()
                    return


class Worker:
    """Does one task after the other."""

    def __init__(self, board: Board, service: Service) -> None:
        self._board, self._service = board, service
        self._house = ""  # whose artefacts are here

    def do(self, task: Dict[str, Any]) -> None:
        lease = Lease(self._service, task)
        try:
            outputs = None  # type: Optional[bytes]
            try:
                told, outputs = self._done(task, lease)
            except Failed as error:
                told = {"error": {"status": error.status, "message": str(error)[:1000]}}
            except Exception as error:  # whatever happens, the service is told and the agent lives on
                told = {"error": {"status": 500, "message": ("%s: %s" % (type(error).__name__, error))[:1000]}}
            except KeyboardInterrupt:
                told = {"stopped": True}
                self._tell(task, lease, told, None, tries=1)
                raise
            self._tell(task, lease, told, outputs)
        finally:
            lease.end()

    def _done(self, task: Dict[str, Any], lease: Lease) -> Any:
        if task["house"] != self._house:  # another team's: nothing of the last one stays
            self._board.forget()
            self._house = task["house"]
        for name in ("artifact", "samples"):
            self._bring(task, task[name], task["sizes"][name])
        if task["operation"] == "run":
            answer, outputs = self._board.run(task, lease.lost)
            answer.pop("board")  # the service knows whom it asked
            return {"answer": answer, "outputs": hashlib.sha256(outputs).hexdigest()}, outputs
        return {"answer": self._board.time(task, lease.lost)}, None

    def _bring(self, task: Dict[str, Any], digest: str, size: int) -> None:
        check_digest(digest)
        if self._board.has(digest):
            return
        with self._board.scratch() as body:
            where = "/board-tasks/%s/files/%s" % (task["id"], digest)
            self._service.fetch(where, digest, task["lease"], int(size), body)
            self._board.put(digest, body)

    def _tell(
        self, task: Dict[str, Any], lease: Lease, told: Dict[str, Any], outputs: Optional[bytes], tries: int = 1000
    ) -> None:
        """Until it is taken, or the lease is lost: then another board has the task by now."""
        wait = Waiting()
        for _ in range(tries):
            if lease.lost():
                break
            try:
                if outputs is not None:
                    self._service.send("/board-outputs/%s" % task["id"], outputs, task["lease"])
                said = dict(told, lease=task["lease"])
                self._service.json("POST", "/board-tasks/%s/result" % task["id"], said)
                return
            except Refused as error:
                if outputs is not None and error.status == 413:
                    told, outputs = {"error": {"status": 413, "message": str(error)[:1000]}}, None
                    continue
                break
            except Away:
                wait.sleep()
        say("the result of %s is not wanted any more" % task["id"])


class Waiting:
    """A little longer each time, up to 30 seconds."""

    def __init__(self) -> None:
        self._seconds = 0.5

    def sleep(self) -> None:
        time.sleep(self._seconds)
        self._seconds = min(30.0, self._seconds * 2)


def say(text: str) -> None:
    sys.stderr.write("dlpipe agent: %s\n" % text)
    sys.stderr.flush()


def described(board: Board, target: str, python: List[str], site: Optional[str]) -> Dict[str, Any]:
    """What the board is, for its registration."""
    runtimes, version = installed(python, site)
    return {
        "agent": VERSION,
        "name": board.name,
        "target": target,
        "machine": platform.machine(),
        "system": platform.platform()[:200],
        "processor": processor()[:200],
        "governor": governor(),
        "isa": sorted(set(entry("flags|Features|isa", "").split()))[:1000],
        "cores": os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "libc": " ".join(platform.libc_ver())[:64],
        "python": version,
        "runtimes": runtimes,
    }


def installed(python: List[str], site: Optional[str]) -> Any:
    """Which runtimes the Python that runs artefacts finds, and its version. Raises Failed."""
    environment = without_tokens()
    if site:
        environment["PYTHONPATH"] = site
    command = python + ["-c", _WHICH] + RUNTIMES.split()
    try:
        said = subprocess.check_output(command, env=environment, stdin=subprocess.DEVNULL, timeout=300).decode()
        found, version = said.strip().split("\n")
        return json.loads(found), version
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Failed("the Python for artefacts does not start: %s" % error) from None


def work(
    board: Board, service: Service, about: Dict[str, Any], on_registered: Callable[[str], None] = say
) -> Optional[str]:
    """Until SIGTERM or Ctrl-C. Returns why the service will have nothing to do with this agent, where that ends it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session, wait, away, worker = "", Waiting(), False, Worker(board, service)
    try:
        while True:
            try:
                if not session:
                    session = service.json("POST", "/boards", about)["session"]
                    on_registered("registered as %s at %s" % (board.name, service.server))
                asked = {"session": session, "seconds": POLL}
                task = service.json("POST", "/boards/%s/poll" % board.name, asked, POLL + PATIENCE)
                wait, away = Waiting(), False
            except Refused as error:
                if error.status != 404 or not session:
                    return str(error)
                session = ""  # the service has forgotten this board
                wait.sleep()
            except Away as error:
                if not away:
                    say("the service at %s does not answer: %s" % (service.server, error))
                away = True
                wait.sleep()
            else:
                if task is not None:
                    worker.do(task)
    except KeyboardInterrupt:
        return None
    finally:
        board.close()
