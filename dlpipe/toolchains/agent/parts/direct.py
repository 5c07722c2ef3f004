"""The agent on a direct connection: it listens, and whoever has the token may ask."""

import hashlib
import hmac
import http.server
import io
import json
import select
import signal
import socket
import sys
import threading
import time
from typing import IO, Any, Dict

from dlpipe.toolchains.agent.parts.board import Board
from dlpipe.toolchains.agent.parts.common import (
    ABOUT,
    CHUNK,
    MAX_ASKED,
    MAX_BODY,
    MAX_CONNECTIONS,
    MAX_SKEW,
    Failed,
    sha256,
    signature,
)


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
            part = self.rfile.read(min(left, CHUNK))
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
