"""The service's client, with the standard library alone.

    client = Client("http://build-server:7070", token)
    job = client.wait(client.submit("model.pb", target="arm64")["id"])
    client.fetch(job["id"], "out")

A server that is restarted meanwhile is waited for. Answers are dicts as in the service's OpenAPI document.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from dlpipe.errors import BadModel
from dlpipe.service.asked import check_name
from dlpipe.service.exchange import Answer as Job
from dlpipe.service.exchange import Server, Waiting
from dlpipe.service.transfers import download, upload

PATIENCE_SECONDS = 600.0
FINAL = ("succeeded", "failed", "cancelled")


class Client:
    """patience: seconds that a server which answered before is waited for. Methods raise UserError for what the server
    refuses, ToolMissing where it does not answer."""

    def __init__(self, server: str, token: str | None, *, patience: float = PATIENCE_SECONDS) -> None:
        self._server = Server(server, token, patience=patience)

    def whoami(self) -> dict[str, Any]:
        """Team, name, scopes, expiry of the token."""
        return self._server.json("GET", "/whoami")

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
        return self._server.json("POST", "/jobs", asked, key)

    def boards(self) -> list[dict[str, Any]]:
        """Those that work for the token's team; for an administrator, all."""
        found: list[dict[str, Any]] = json.loads(self._server.call("GET", "/boards")[0])
        return found

    def job(self, job: str) -> Job:
        return self._server.json("GET", f"/jobs/{quote(job, safe='')}")

    def jobs(self, *, state: str | None = None, q: str | None = None, limit: int = 50) -> list[Job]:
        """The newest first. q: what to look for in model, label, targets, backends."""
        found: list[Job] = []
        after: int | None = None
        while len(found) < limit:
            given = {"state": state, "q": q, "limit": min(limit - len(found), 200), "after": after}
            page = self._server.json("GET", "/jobs?" + urlencode({k: v for k, v in given.items() if v is not None}))
            found += page["jobs"]
            after = page["next"]
            if after is None:
                break
        return found

    def cancel(self, job: str) -> Job:
        return self._server.json("POST", f"/jobs/{quote(job, safe='')}/cancel")

    def retry(self, job: str) -> Job:
        return self._server.json("POST", f"/jobs/{quote(job, safe='')}/retry")

    def logs(self, job: str, *, follow: bool = False) -> Iterator[str]:
        """Pieces of whole lines; with `follow` until the job has ended."""
        offset, attempt, wait = 0, None, Waiting()
        while True:
            ended = not follow or self.job(job)["state"] in FINAL
            said, headers = self._server.call("GET", f"/jobs/{quote(job, safe='')}/logs?offset={offset}")
            text, now, offset = said.decode(errors="replace"), headers["Log-Attempt"], int(headers["Log-Offset"])
            if now != attempt:  # another worker took it over, and its log begins anew
                begun, attempt = attempt is not None, now
                if begun:
                    offset = 0
                    continue
            if text:
                wait = Waiting()
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
        waiting = Waiting()
        while (found := self.job(job))["state"] not in FINAL:
            waiting.sleep()
        return found

    def report(self, job: str) -> dict[str, Any]:
        """The job's report.json."""
        return self._server.json("GET", f"/jobs/{quote(job, safe='')}/report.json")

    def fetch(self, job: str, out: str | Path) -> Path | None:
        """The job's output folder as `out`, complete and as its manifest says, or not at all. Returns where an earlier
        result was kept that lay there. Raises BadModel where the server sends something else."""
        from dlpipe.pipeline.output import MANIFEST, link_selected, output_folder

        where = f"/jobs/{quote(job, safe='')}/artifacts"
        manifest, _ = self._server.call("GET", where)
        kept: list[Path] = []
        with output_folder(Path(out), kept.append) as folder:
            for name, entry in json.loads(manifest)["files"].items():
                path = folder / _checked(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                download(self._server, f"{where}/{quote(name)}", path, entry["sha256"], entry["size"])
            (folder / MANIFEST).write_bytes(manifest)
            chosen = json.loads((folder / "report.json").read_bytes())["selected"]
            link_selected(folder, {_checked(name): _checked(each["path"]) for name, each in chosen.items()})
        return kept[0] if kept else None

    def _model(self, spec: str) -> dict[str, Any]:
        from dlpipe.frontends.registry import frontends
        from dlpipe.pipeline.companions import gathered
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
        return {"model": self._send(gathered(path), path.name), **forced}

    def _data(self, spec: str) -> dict[str, Any]:
        from dlpipe.data import read_call

        path = Path(spec).expanduser()
        if path.is_dir():
            return self._send(_below(path), ".")
        files, _ = read_call(spec)
        return self._send(files, path.name)

    def _send(self, files: Mapping[str, Path], entry: str) -> dict[str, Any]:
        return {"files": {name: upload(self._server, path) for name, path in files.items()}, "entry": entry}


def _below(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _checked(name: str) -> str:
    """A server is believed no more than a stranger. Raises BadModel."""
    try:
        return check_name(name)
    except ValueError as error:
        raise BadModel(f"the service sent a name that is none: {error}", hint="do not trust this service") from None
