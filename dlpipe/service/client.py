"""The service's client, with the standard library alone.

    client = Client("http://build-server:7070", token)
    job = client.wait(client.submit("model.pb", target="arm64")["id"])
    client.fetch(job["id"], "out")

A server that is restarted meanwhile is waited for. Answers are dicts as in the service's OpenAPI document.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from dlpipe.errors import BadModel, ToolMissing, UserError
from dlpipe.service.asked import check_name

Job = dict[str, Any]  # and every other answer
FINAL = ("succeeded", "failed", "cancelled")
PATIENCE_SECONDS = 600.0
_SECONDS = 60  # without any answer
_BLOCK = 1 << 20
_AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 5  # at one upload that does not get on


class Client:
    """patience: seconds that a server which answered before is waited for. Methods raise UserError for what the server
    refuses, ToolMissing where it does not answer."""

    def __init__(self, server: str, token: str | None, *, patience: float = PATIENCE_SECONDS) -> None:
        address = urlsplit(server)
        if address.scheme not in ("http", "https") or not address.netloc or "@" in address.netloc:
            raise UserError(f"{server!r} is no address of a service", hint="DLPIPE_SERVER, e.g. http://127.0.0.1:7070")
        if not token:
            raise UserError("the service wants a token", hint="set DLPIPE_TOKEN; its administrator makes them")
        self._server = server.rstrip("/")
        self._root = f"{self._server}/api/v1"
        self._token = token
        self._patience = patience
        self._answered = False
        self._opener = urllib.request.build_opener(NoRedirects)

    def whoami(self) -> dict[str, Any]:
        """Team, name, scopes, expiry of the token."""
        return self._json("GET", "/whoami")

    def submit(
        self,
        model: str | Path,
        *,
        target: str | Sequence[str],
        data: str | Path | None = None,
        train_data: str | Path | None = None,
        labels: str | Path | None = None,
        reference: str | Path | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """Send what the service does not have yet, and ask for a conversion. model: as `dlpipe convert` takes it.
        options: the further fields of `asked.Asked`. Sent twice with one key, it is one job."""
        asked = {name: value for name, value in options.items() if value not in (None, (), [], False)}
        asked["targets"] = [target] if isinstance(target, str) else list(target)
        asked = {**self._model(str(model)), **asked}
        for name, path in {"labels": labels, "reference": reference}.items():
            if path is not None:
                asked[name] = self._send({Path(path).name: Path(path)}, Path(path).name)
        for name, spec in {"data": data, "train_data": train_data}.items():
            if spec is not None:
                asked[name] = self._data(str(spec))
        key = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._json("POST", "/jobs", asked, key)

    def boards(self) -> list[dict[str, Any]]:
        """Those that work for the token's team; for an administrator, all."""
        found: list[dict[str, Any]] = json.loads(self._call("GET", "/boards")[0])
        return found

    def job(self, job: str) -> Job:
        return self._json("GET", f"/jobs/{quote(job, safe='')}")

    def jobs(self, *, state: str | None = None, q: str | None = None, limit: int = 50) -> list[Job]:
        """The newest first. q: what to look for in model, label, targets, backends."""
        found: list[Job] = []
        after: int | None = None
        while len(found) < limit:
            given = {"state": state, "q": q, "limit": min(limit - len(found), 200), "after": after}
            page = self._json("GET", "/jobs?" + urlencode({k: v for k, v in given.items() if v is not None}))
            found += page["jobs"]
            after = page["next"]
            if after is None:
                break
        return found

    def cancel(self, job: str) -> Job:
        return self._json("POST", f"/jobs/{quote(job, safe='')}/cancel")

    def retry(self, job: str) -> Job:
        return self._json("POST", f"/jobs/{quote(job, safe='')}/retry")

    def logs(self, job: str, *, follow: bool = False) -> Iterator[str]:
        """Pieces of whole lines; with `follow` until the job has ended."""
        offset, attempt, wait = 0, None, _Waiting()
        while True:
            ended = not follow or self.job(job)["state"] in FINAL
            said, headers = self._call("GET", f"/jobs/{quote(job, safe='')}/logs?offset={offset}")
            text, now, offset = said.decode(errors="replace"), headers["Log-Attempt"], int(headers["Log-Offset"])
            if now != attempt:  # another worker took it over, and its log begins anew
                begun, attempt = attempt is not None, now
                if begun:
                    offset = 0
                    continue
            if text:
                wait = _Waiting()
                yield text
            elif ended:
                return
            else:
                wait.sleep()

    def wait(self, job: str, *, on_log: Callable[[str], None] | None = None) -> Job:
        """Until it has ended."""
        if on_log is not None:
            for text in self.logs(job, follow=True):
                on_log(text)
        waiting = _Waiting()
        while (found := self.job(job))["state"] not in FINAL:
            waiting.sleep()
        return found

    def report(self, job: str) -> dict[str, Any]:
        """The job's report.json."""
        return self._json("GET", f"/jobs/{quote(job, safe='')}/report.json")

    def fetch(self, job: str, out: str | Path) -> Path | None:
        """The job's output folder as `out`, complete and as its manifest says, or not at all. Returns where an earlier
        result was kept that lay there. Raises BadModel where the server sends something else."""
        from dlpipe.pipeline.output import MANIFEST, link_selected, output_folder

        where = f"/jobs/{quote(job, safe='')}/artifacts"
        manifest, _ = self._call("GET", where)
        kept: list[Path] = []
        with output_folder(Path(out), kept.append) as folder:
            for name, entry in json.loads(manifest)["files"].items():
                path = folder / _checked(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._download(f"{where}/{quote(name)}", path, entry["sha256"], entry["size"])
            (folder / MANIFEST).write_bytes(manifest)
            chosen = json.loads((folder / "report.json").read_bytes())["selected"]
            link_selected(folder, {_checked(name): _checked(each["path"]) for name, each in chosen.items()})
        return kept[0] if kept else None

    def _model(self, spec: str) -> dict[str, Any]:
        from dlpipe.frontends.registry import frontends
        from dlpipe.pipeline.companions import companions
        from dlpipe.pipeline.source import INSIDE, locate

        if spec.startswith("zoo:"):
            return {"zoo": spec.removeprefix("zoo:")}
        path, framework = locate(spec, tuple(frontends()))
        forced = {"framework": framework} if framework is not None else {}
        if path.name in INSIDE:
            path = path.resolve().parent
        if path.is_dir():
            label = {"label": path.resolve().name}
            return {"model": self._send(_below(path), "."), **label, **forced}
        files = {each.name: each for each in (path, *companions(path))}
        return {"model": self._send(files, path.name), **forced}

    def _data(self, spec: str) -> dict[str, Any]:
        from dlpipe.data import read_call

        path = Path(spec).expanduser()
        if path.is_dir():
            return self._send(_below(path), ".")
        files, _ = read_call(spec)
        return self._send(files, path.name)

    def _send(self, files: Mapping[str, Path], entry: str) -> dict[str, Any]:
        return {"files": {name: self._upload(path) for name, path in files.items()}, "entry": entry}

    def _upload(self, path: Path) -> str:
        """The file's digest, once the service has it."""
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size, stands, tries = file.tell(), -1, 0
                while True:
                    offset, complete = self._uploaded(digest)
                    if complete:
                        return digest
                    tries = 0 if offset > stands else tries + 1
                    if tries >= _TRIES:
                        raise ToolMissing(f"the service does not take {path}: it stays at byte {offset} of {size}")
                    stands = offset
                    # All of it may be there unchecked, where the server was killed at that: without a rest to send, it
                    # is sent again.
                    self._put(digest, file, offset if offset < size else 0, size)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error

    def _uploaded(self, digest: str) -> tuple[int, bool]:
        try:
            _, headers = self._call("HEAD", f"/uploads/{digest}")
            return int(headers["Upload-Offset"]), headers["Upload-Complete"] == "?1"
        except _NotFound:
            return 0, False

    def _put(self, digest: str, file: IO[bytes], offset: int, size: int) -> None:
        """A connection that breaks is no error: the next look says how far it came."""
        file.seek(offset)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size - offset)}
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{size - 1}/{size}"
        request = self._request("PUT", f"/uploads/{digest}", file, headers)
        try:
            with self._opener.open(request, timeout=_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            if error.code not in _AGAIN | {408, 409}:
                raise _refused(error) from None
            time.sleep(0.5)
        except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError):
            time.sleep(0.5)

    def _download(self, where: str, path: Path, sha256: str, size: int) -> None:
        """Goes on where a connection broke."""
        path.touch()
        waiting, deadline = _Waiting(), time.monotonic() + self._patience
        while (have := path.stat().st_size) < size:

            def append(answer: HTTPResponse) -> None:
                with path.open("ab") as file:
                    while block := answer.read(_BLOCK):
                        file.write(block)

            self._call("GET", where, None, {"Range": f"bytes={have}-"}, append)
            if path.stat().st_size > have:
                waiting, deadline = _Waiting(), time.monotonic() + self._patience
            elif time.monotonic() > deadline:
                raise ToolMissing(f"{self._server} stopped sending {path.name} at byte {have} of {size}")
            else:
                waiting.sleep()
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise BadModel(f"the service sent another {path.name} than its manifest says", hint="fetch again")

    def _json(self, method: str, where: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Job:
        data = json.dumps(body).encode() if body is not None else None
        kind = {"Content-Type": "application/json"} if body is not None else {}
        found: Job = json.loads(self._call(method, where, data, {**kind, **(headers or {})})[0])
        return found

    def _call(
        self,
        method: str,
        where: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        sink: Callable[[HTTPResponse], None] | None = None,
    ) -> tuple[bytes, HTTPMessage]:
        """The answer's body and headers. Every request may be sent twice: none of them does more the second time.
        A `sink` takes the body instead, and its caller asks for what is missing. Raises as the class says."""
        request, deadline, waiting = self._request(method, where, data, headers or {}), None, _Waiting()
        while True:
            try:
                with self._opener.open(request, timeout=_SECONDS) as answer:
                    self._answered = True
                    if sink is None:
                        return answer.read(), answer.headers
                    sink(answer)
                    return b"", answer.headers
            except urllib.error.HTTPError as error:
                self._answered = True
                if error.code not in _AGAIN:
                    raise _refused(error) from None
                said: object = f"{error.code} {error.reason}"
            except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
                said = getattr(error, "reason", error)
                if sink is not None:
                    return b"", HTTPMessage()
            deadline = deadline or time.monotonic() + (self._patience if self._answered else 0)
            if time.monotonic() >= deadline:
                hint = "is it running? --server or DLPIPE_SERVER says where: dlpipe serve prints it"
                raise ToolMissing(f"the service at {self._server} does not answer: {said}", hint=hint)
            waiting.sleep()

    def _request(
        self, method: str, where: str, data: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> urllib.request.Request:
        own = {"Authorization": f"Bearer {self._token}", "Accept": "application/json, */*"}
        return urllib.request.Request(  # noqa: S310 - http or https, see __init__
            self._root + where, data=data, method=method, headers={**own, **headers}
        )


class _Waiting:
    """A little longer each time, up to two seconds."""

    def __init__(self) -> None:
        self._seconds = 0.1

    def sleep(self) -> None:
        time.sleep(self._seconds)
        self._seconds = min(2.0, self._seconds * 1.5)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer that is not wanted: what is sent, a token above all, is for this server alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


class _NotFound(UserError):
    pass


def _refused(error: urllib.error.HTTPError) -> UserError:
    try:
        told = json.loads(error.read())
        detail, hint = str(told["detail"]), told.get("hint")
    except (ValueError, KeyError, TypeError, OSError):
        detail, hint = f"{error.code} {error.reason}", None
    kind = _NotFound if error.code == 404 else UserError
    if error.code in (401, 403):
        hint = hint or "DLPIPE_TOKEN holds the token"
    return kind(f"the service refuses: {detail}", hint=hint)


def _below(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _checked(name: str) -> str:
    """A server is believed no more than a stranger. Raises BadModel."""
    try:
        return check_name(name)
    except ValueError as error:
        raise BadModel(f"the service sent a name that is none: {error}", hint="do not trust this service") from None
