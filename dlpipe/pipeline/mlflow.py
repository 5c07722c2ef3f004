"""The history of an artefact as a run of an MLflow tracking server, through its REST interface (2.0).

MLflow's client is not used: 20 packages for six requests.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from dlpipe.contracts.json import canonical, digest
from dlpipe.errors import UserError
from dlpipe.pipeline.lineage import History, RunEntry

_SECONDS = 60
_LONGEST = 6000  # characters of a parameter that MLflow takes
_BATCH = 100  # parameters and tags that it takes at once


def export(history: History, run: RunEntry, address: str, experiment: str) -> dict[str, str]:
    """Write it as one run; done again for the same artefact of the same run, that one is brought up to date. Returns
    its id and address. Raises UserError where the server cannot be reached or refuses."""
    server = _Server(address)
    found = server.experiment(experiment)
    known = {"dlpipe.artifact": history.artifact.digest, "dlpipe.run": history.run}
    run_id = server.run(found, known) or server.new_run(found, history, run, known)
    when = _milliseconds(run.created)
    metrics = [{"key": key, "value": value, "timestamp": when, "step": 0} for key, value in _metrics(history)]
    parameters, tags = _pairs(_parameters(history)), _pairs({**known, **dict(_tags(history, run))})
    server.call("runs/log-batch", {"run_id": run_id, "metrics": metrics})
    for name, pairs in (("params", parameters), ("tags", tags)):
        for start in range(0, len(pairs), _BATCH):
            server.call("runs/log-batch", {"run_id": run_id, name: pairs[start : start + _BATCH]})
    server.call(
        "runs/log-inputs", {"run_id": run_id, "datasets": [_dataset(*each) for each in history.sources.items()]}
    )
    server.call("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": when})
    return {"run_id": run_id, "address": f"{server.address}/#/experiments/{found}/runs/{run_id}"}


def _metrics(history: History) -> Iterator[tuple[str, float]]:
    """Numbers. What was not measured on the target itself says so in its name; what is of a stage names the stage."""
    stages = {each.output: each.stage for each in history.stages if each.output != history.artifact.digest}
    for each in history.measurements:
        if isinstance(each.value, int | float) and not isinstance(each.value, bool):
            where = [] if each.provenance == "measured" else [each.provenance]
            where += [stages[each.subject]] if each.subject in stages else []
            yield _key("/".join([*where, each.name])), float(each.value)


def _parameters(history: History) -> dict[str, str]:
    """What was asked for, and of each stage its parameters as JSON: of long ones the digest, which tells them apart."""
    made = history.artifact
    found = {"target": made.target, "backend": made.backend, "variant": made.variant}
    for stage in history.stages:
        text = canonical(stage.parameters).decode()
        found[_key(f"stage/{stage.stage}")] = text if len(text) <= _LONGEST else f"sha256:{digest(stage.parameters)}"
    return found


def _tags(history: History, run: RunEntry) -> Iterator[tuple[str, str]]:
    yield "mlflow.source.name", run.command or "dlpipe"
    yield "dlpipe.verdict", history.artifact.verdict
    for each in history.measurements:
        if each.subject == history.artifact.digest and each.unit:
            yield _key(f"unit.{each.name}"), each.unit
    for stage in history.stages:
        for name, lock in stage.toolchains.items():
            yield _key(f"toolchain.{name}"), str(lock)
    for publication in history.publications:
        yield _key(f"dlpipe.{publication.kind}"), f"{publication.place} ({publication.identity})"


def _dataset(given: str, name: str) -> dict[str, Any]:
    about = {"name": name, "digest": given[:36], "source_type": "dlpipe", "source": json.dumps({"tree": given})}
    return {"tags": [{"key": "mlflow.data.context", "value": "given"}], "dataset": about}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _key(name: str) -> str:
    """MLflow's names are of letters, digits and _-. :/"""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. :/") else "_" for c in name)[:250]


def _milliseconds(created: str) -> int:
    when = datetime.fromisoformat(created)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


class _Server:
    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        if urlsplit(self.address).scheme not in ("http", "https") or not urlsplit(self.address).netloc:
            raise UserError(f"{address} is no address of an MLflow server", hint="e.g. --mlflow http://127.0.0.1:5000")

    def call(self, what: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST of a body, or GET. Raises _Refused where the server answers with an error."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.address}/api/2.0/mlflow/{what}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - http(s) only
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refusal(self.address, error) from None
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise UserError(f"no MLflow server answers at {self.address}: {why}", hint="is it running?") from error

    def experiment(self, name: str) -> str:
        """Its id; it is made where there is none."""
        try:
            found = self.call(f"experiments/get-by-name?experiment_name={quote(name)}")
            return str(found["experiment"]["experiment_id"])
        except _Missing:
            return str(self.call("experiments/create", {"name": name})["experiment_id"])

    def run(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        """The id of the run with these tags."""
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = self.call("runs/search", {"experiment_ids": [experiment], "filter": wanted, "max_results": 1})
        return str(found["runs"][0]["info"]["run_id"]) if found.get("runs") else None

    def new_run(self, experiment: str, history: History, run: RunEntry, tags: Mapping[str, str]) -> str:
        made = history.artifact
        name = f"{made.target}-{made.backend}-{made.variant}"
        body = {"experiment_id": experiment, "run_name": name, "start_time": _milliseconds(run.created)}
        return str(self.call("runs/create", {**body, "tags": _pairs(tags)})["run"]["info"]["run_id"])


class _Missing(UserError):
    pass


def _refusal(address: str, error: urllib.error.HTTPError) -> UserError:
    try:
        said = json.loads(error.read(1 << 16))
        code, message = said.get("error_code"), said.get("message")
    except (ValueError, AttributeError, OSError):
        code, message = None, error.reason
    kind = _Missing if code == "RESOURCE_DOES_NOT_EXIST" else UserError
    return kind(f"the MLflow server at {address} refused: {error.code} {message}", hint="is it an MLflow server?")
