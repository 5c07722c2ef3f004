"""The agent of a board: takes artefacts, runs and times them here, and gives their outputs back.

One file, standard library only, clean down to Python 3.7, so that it can be copied to a board that has no dlpipe: what
it runs needs NumPy and the artefact's runtime there.

Whoever has the token may run programs as this user: every request is signed with it (HMAC-SHA256 over method, path,
time, a number used once, body, and session), every answer too, and it never travels itself. The session is a number
that the agent draws when it starts and tells with `about`: a request that somebody has listened to counts neither a
second time, nor after a restart, when the used numbers are forgotten, nor on another board with the same token. Nothing
is encrypted: on a network that others listen to, let it listen on 127.0.0.1 and reach it through ssh. The signature is
checked before a body is read, so that nobody else can fill its memory.
"""

import argparse
import hashlib
import hmac
import http.server
import io
import json
import os
import platform
import queue
import secrets
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Optional, Tuple

VERSION = 3
TOKEN = "DLPIPE_AGENT_TOKEN"  # the variable that holds it
MAX_BODY = 4 << 30  # bytes of one upload, which goes to a file
MAX_ASKED = 64 << 20  # of any other request
MAX_CONNECTIONS = 64  # at a time
MAX_SKEW = 300  # seconds that the clocks may be apart
MAX_HELD = 8  # models that stay loaded between timings
ABOUT = "/v1/about"  # which is asked for before the session is known
HOUSE = "dlpipe_guest"  # the package that the sent code is made a part of
_CHUNK = 1 << 20
_LOOK = 1.0  # seconds between two looks whether the other side still waits


def signature(token: str, *parts: str) -> str:
    """Of a request: method, path, time, nonce, SHA-256 of the body, and, of all but `about`, the session; of an answer:
    "answer", status, nonce, SHA-256."""
    return hmac.new(token.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Failed(Exception):
    """What the other side is told, with a status of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Guest:
    """A program that runs an artefact: it prints lines `dlpipe {json}`; all else it says is kept for an error."""

    def __init__(self, command: List[str], code: Path, log: Path, site: Optional[str], uses: List[str]) -> None:
        """uses: digests of the folders that it reads."""
        path = os.pathsep.join([str(code)] + ([site] if site else []))
        self._log, self.folder, self.uses = log, code, uses
        self._errors = log.open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=str(code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**_without_token(), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._said: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                said = json.loads(line[len(b"dlpipe ") :].decode()) if line.startswith(b"dlpipe ") else None
            except ValueError:
                continue  # chatter of the runtime
            if isinstance(said, dict) and "result" in said:
                self._said.put(said["result"])
        self._said.put(None)

    def ask(self, what: Optional[Dict[str, Any]], until: float, gone: Callable[[], bool]) -> Dict[str, Any]:
        """Write one line to it (None: nothing), and wait for its result. `until`: of the monotonic clock; `gone`:
        whether nobody wants the answer any more. Raises Failed; the program is to be ended then."""
        if what is not None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps(what).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                pass  # it has ended: what it said is looked at below
        while True:
            try:
                said = self._said.get(timeout=max(0.0, min(_LOOK, until - time.monotonic())))
            except queue.Empty:
                if gone():
                    raise Failed("nobody waits for it any more", 499) from None
                if time.monotonic() >= until:
                    raise Failed("it did not end in time", 504) from None
                continue
            if said is None:
                raise Failed("it ended with status %s: %s" % (self._process.wait(), self._last()), 422)
            return said

    def _last(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1][:300]

    def end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:
            pass  # gone
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


class Board:
    """What the agent keeps: folders by digest, and programs that wait to be timed. Of the folders, those that were used
    least lately go when they exceed `space` bytes together, but never one that a program reads."""

    def __init__(self, folder: Path, name: str, python: List[str], site: Optional[str], space: int) -> None:
        self.name, self._python, self._site = name, python, site
        self.session = secrets.token_hex(16)
        self._folder, self._space = folder, space
        self._kept: "OrderedDict[str, int]" = OrderedDict()  # digest -> bytes, the one used last at the end
        self._read: Dict[str, int] = {}  # digest -> by how many programs
        self._guard = threading.RLock()  # of these two, and of the folders
        self._alone = threading.Lock()  # one run or timing at a time: others would disturb it
        self._held: Dict[str, Guest] = {}
        self._running: Optional[Guest] = None

    def about(self) -> Dict[str, Any]:
        return {
            "agent": VERSION,
            "session": self.session,
            "name": self.name,
            "machine": platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
        }

    def has(self, digest: str) -> bool:
        _check_digest(digest)
        with self._guard:
            return self._touched(digest)

    def _touched(self, digest: str) -> bool:
        if digest in self._kept:
            self._kept.move_to_end(digest)
        return digest in self._kept

    def scratch(self) -> IO[bytes]:
        """A file for an upload."""
        return tempfile.TemporaryFile(dir=str(self._folder))

    def put(self, digest: str, body: IO[bytes]) -> None:
        """A tar of plain files; `digest` is that of the tar."""
        _check_digest(digest)
        with tempfile.TemporaryDirectory(dir=str(self._folder)) as making:
            made, size = Path(making, "made"), 0
            made.mkdir()
            with tarfile.open(fileobj=body, mode="r:") as tar:
                for member in tar:
                    size += member.size
                    if size > self._space:
                        raise Failed(
                            "it is larger than the %d bytes that this board keeps: see --space" % self._space, 507
                        )
                    _unpack(tar, member, made)
            with self._guard:
                if not self._touched(digest):  # else another client was first
                    self._make_room(size)
                    os.rename(str(made), str(self._folder / digest))
                    self._kept[digest] = size

    def _make_room(self, size: int) -> None:
        while sum(self._kept.values()) + size > self._space:
            idle = next((each for each in self._kept if not self._read.get(each)), None)
            if idle is not None:
                shutil.rmtree(str(self._folder / idle))
                del self._kept[idle]
            elif not self._dropped():
                raise Failed("what its programs read leaves no room for %d bytes more: see --space" % size, 507)

    def _dropped(self) -> bool:
        """Whether there was a program that waits to be timed, and nothing at work: the oldest one is ended."""
        if not self._held or not self._alone.acquire(blocking=False):
            return False
        try:
            self._drop(next(iter(self._held)))
            return True
        finally:
            self._alone.release()

    def run(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> Tuple[Dict[str, Any], bytes]:
        """Feed all samples to the artefact: (what the program said, outputs.npz)."""
        until = self._turn(asked, gone)
        try:
            with tempfile.TemporaryDirectory(dir=str(self._folder)) as folder:
                outputs = Path(folder, "outputs.npz")
                guest = self._running = self._start(asked, Path(folder), [str(outputs)])
                try:
                    answer = guest.ask(None, until, gone)
                finally:
                    self._running = None
                    self._end(guest)
                return {**answer, "board": self.about()}, outputs.read_bytes()
        finally:
            self._alone.release()

    def time(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> Dict[str, Any]:
        """Time some runs of the first sample; the program stays under asked["handle"]."""
        handle, what = str(asked["handle"]), {"warmup": asked["warmup"], "runs": asked["runs"]}
        until = self._turn(asked, gone)
        try:
            guest = self._held.get(handle)
            if guest is None:
                while len(self._held) >= MAX_HELD:
                    self._drop(next(iter(self._held)))
                folder = Path(tempfile.mkdtemp(dir=str(self._folder)))
                try:
                    guest = self._held[handle] = self._start(asked, folder, ["--time"])
                except BaseException:
                    shutil.rmtree(str(folder), ignore_errors=True)
                    raise
            try:
                return guest.ask(what, until, gone)
            except BaseException:  # what it would answer next is to another question
                self._drop(handle)
                raise
        finally:
            self._alone.release()

    def close(self) -> None:
        for guest in [*self._held.values(), self._running]:
            if guest is not None:
                guest.end()

    def _turn(self, asked: Dict[str, Any], gone: Callable[[], bool]) -> float:
        """Wait for the others. Returns until when this one may go on: its seconds count from now."""
        seconds = float(asked["seconds"])
        until = time.monotonic() + seconds
        if not self._alone.acquire(timeout=seconds):
            raise Failed("others kept this board busy for %d seconds" % seconds, 503)
        if gone():
            self._alone.release()
            raise Failed("nobody waits for it any more", 499)
        return until

    def _drop(self, handle: str) -> None:
        guest = self._held.pop(handle)
        self._end(guest)
        shutil.rmtree(str(guest.folder), ignore_errors=True)

    def _start(self, asked: Dict[str, Any], folder: Path, last: List[str]) -> Guest:
        for name, text in asked["code"].items():
            path = _inside(folder / HOUSE, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        uses = [asked["artifact"], asked["samples"]]
        with self._guard:
            for digest in uses:
                _check_digest(digest)
                if not self._touched(digest):
                    raise Failed("it is not here any more: %s" % digest, 410)
            for digest in uses:
                self._read[digest] = self._read.get(digest, 0) + 1
        artifact, samples = (self._folder / digest for digest in uses)
        command = ["-m", "%s.%s" % (HOUSE, asked["guest"]), str(artifact), str(samples / "samples.npz")]
        try:
            return Guest(self._python + command + last, folder, folder / "log", self._site, uses)
        except BaseException:
            self._leave(uses)
            raise

    def _end(self, guest: Guest) -> None:
        guest.end()
        self._leave(guest.uses)

    def _leave(self, uses: List[str]) -> None:
        with self._guard:
            for digest in uses:
                self._read[digest] -= 1
                if not self._read[digest]:
                    del self._read[digest]


def _without_token() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != TOKEN}


def _check_digest(digest: str) -> None:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Failed("not a digest")


def _inside(folder: Path, name: str) -> Path:
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or not parts:
        raise Failed("a name leaves its folder: %r" % name)
    return folder.joinpath(*parts)


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = _inside(folder, member.name)
    if not member.isfile():
        raise Failed("only plain files are taken, and %r is none" % member.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


class Handler(http.server.BaseHTTPRequestHandler):
    board: Board
    token: str
    used: Dict[str, float] = {}
    guard = threading.Lock()
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a byte

    def do_GET(self) -> None:
        self._serve()

    do_PUT = do_POST = do_HEAD = do_GET

    def _serve(self) -> None:
        nonce = self.headers.get("Dlpipe-Nonce", "")
        try:
            self._check(nonce)
            status, answer = 200, self._answer()
        except Failed as error:
            status, answer = error.status, json.dumps({"error": str(error)}).encode()
        except Exception as error:  # whatever happens, the other side is told and the agent lives on
            status, answer = 500, json.dumps({"error": "%s: %s" % (type(error).__name__, error)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")  # a body that was not read would be taken for the next request
        self.send_header("Dlpipe-Signature", signature(self.token, "answer", str(status), nonce, sha256(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            self.log_message("it is gone")

    def _check(self, nonce: str) -> None:
        """Whether the head is of somebody who has the token. It says the digest of the body, which is not read yet."""
        moment, digest = self.headers.get("Dlpipe-Time", "0"), self.headers.get("Dlpipe-Body", "")
        session = self.headers.get("Dlpipe-Session", "")
        parts = [self.command, self.path, moment, nonce, digest] + ([session] if session else [])
        wanted = signature(self.token, *parts)
        if not hmac.compare_digest(wanted.encode(), self.headers.get("Dlpipe-Signature", "").encode()):
            raise Failed("the signature is wrong: is the token the same on both sides?", 401)
        if session != self.board.session and (session or self.path != ABOUT):
            raise Failed("this is another agent than the request is for, or it was started anew", 409)
        now = time.time()
        with self.guard:
            for each in [each for each, when in self.used.items() if now - when > 2 * MAX_SKEW]:
                del self.used[each]
            if not abs(now - float(moment)) <= MAX_SKEW or nonce in self.used:
                raise Failed("the request is old, or was seen before: are both clocks right?", 401)
            self.used[nonce] = now

    def _body(self, place: IO[bytes], most: int) -> None:
        """Into `place`. Raises Failed for one that is not what was signed."""
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit():
            raise Failed("its length is no number")
        left, found = int(length), hashlib.sha256()
        if left > most:
            raise Failed("too large", 413)
        while left:
            part = self.rfile.read(min(left, _CHUNK))
            if not part:
                raise Failed("the body ended early")
            found.update(part)
            place.write(part)
            left -= len(part)
        if found.hexdigest() != self.headers.get("Dlpipe-Body"):
            raise Failed("the body is not what was signed")
        place.seek(0)

    def _asked(self) -> Dict[str, Any]:
        body = io.BytesIO()
        self._body(body, MAX_ASKED)
        asked = json.loads(body.read().decode())
        if not isinstance(asked, dict):
            raise Failed("that is no question")
        return asked

    def _gone(self) -> bool:
        """The other side has hung up."""
        try:
            return bool(select.select([self.connection], [], [], 0)[0]) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _answer(self) -> bytes:
        method, parts = self.command, self.path.strip("/").split("/")
        if (method, self.path) == ("GET", ABOUT):
            return json.dumps(self.board.about()).encode()
        if method == "GET" and parts[:2] == ["v1", "folders"] and len(parts) == 3:
            return json.dumps({"there": self.board.has(parts[2])}).encode()
        if method == "PUT" and parts[:2] == ["v1", "folders"] and len(parts) == 3:
            if parts[2] != self.headers.get("Dlpipe-Body"):
                raise Failed("the body is not what its name says")
            with self.board.scratch() as body:
                self._body(body, MAX_BODY)
                self.board.put(parts[2], body)
            return b"{}"
        if (method, parts) == ("POST", ["v1", "run"]):
            answer, outputs = self.board.run(self._asked(), self._gone)
            head = json.dumps(answer).encode()
            return len(head).to_bytes(8, "big") + head + outputs
        if (method, parts) == ("POST", ["v1", "time"]):
            return json.dumps(self.board.time(self._asked(), self._gone)).encode()
        raise Failed("there is no such thing", 404)

    def log_message(self, format: str, *args: Any) -> None:
        sys.stderr.write("%s %s\n" % (self.address_string(), format % args))


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection, and no more of them than a small board bears."""

    daemon_threads = True
    seats = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.seats.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.seats.release()


def serve(board: Board, host: str, port: int, token: str) -> None:
    """Until SIGTERM or Ctrl-C. Says `listening on HOST:PORT` when it does; port 0 is any that is free."""
    handler = type("BoardHandler", (Handler,), {"board": board, "token": token})
    server = Server((host, port), handler)
    print("listening on %s:%d" % (host, server.server_address[1]), flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        board.close()


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description="Run and time artefacts of dlpipe on this board.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=7077)
    parser.add_argument("--name", default=platform.node() or "board", help="what reports call this board")
    parser.add_argument("--token-file", type=Path, help="default: the environment's DLPIPE_AGENT_TOKEN")
    parser.add_argument("--python", help="the command that starts Python for artefacts (default: this very one)")
    parser.add_argument("--site", help="a folder of Python packages that artefacts need")
    parser.add_argument("--folder", help="where artefacts are kept while it runs (default: the system's)")
    parser.add_argument(
        "--space",
        type=float,
        metavar="GIB",
        help="how much of artefacts and samples is kept (default: half of what is free)",
    )
    asked = parser.parse_args(arguments)
    token = asked.token_file.read_text().strip() if asked.token_file else os.environ.get(TOKEN, "")
    if len(token) < 16:
        parser.error(
            "a token of 16 characters or more is needed, in %s or --token-file; a new one: %s"
            % (TOKEN, secrets.token_urlsafe(24))
        )
    python = shlex.split(asked.python) if asked.python else [sys.executable]
    with tempfile.TemporaryDirectory(prefix="dlpipe-agent-", dir=asked.folder) as folder:
        space = shutil.disk_usage(folder).free // 2 if asked.space is None else int(asked.space * (1 << 30))
        serve(Board(Path(folder), asked.name, python, asked.site, space), asked.host, asked.port, token)


if __name__ == "__main__":
    main()
