"""Uploads and requests that are made to hurt, as jobs that a worker really takes: archives that unpack without end, and
addresses in every place that takes a text."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from dlpipe.service.asked import Asked
from tests.conftest import Bench
from tests.e2e.user import make_user

from . import bombs
from .running import PATIENCE, Service, eventually, serving
from .test_story import NET

pytestmark = pytest.mark.slow
GIB = 1 << 30
MEMORY = 3 << 29  # bytes, of all processes of a job together
GRAPH = """version 1.0;
graph g(x) -> (y) { x = external(shape = [1, 3]); w = variable(shape = [3, 3], label = 'w'); y = matmul(x, w); }"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hostile")
    with serving(make_user(folder), folder / "data", "--max-upload", "64MB", "--workers", 2) as started:
        yield started


def one(service: Service, name: str, content: bytes) -> dict[str, Any]:
    return {"files": {name: service.upload(content)}, "entry": name}


def ended(service: Service, job: str) -> dict[str, Any]:
    def look() -> Any:
        found = service.ask("GET", f"/jobs/{job}").json
        return found if found["state"] not in ("queued", "running") else None

    return dict(eventually(look))


def on_disk(folder: Path) -> int:
    """Bytes of what has no other name: uploads are hard links in the jobs that use them."""
    total = 0
    for where, _, names in os.walk(folder):  # passes over what goes meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                found = os.lstat(os.path.join(where, name))
                total += found.st_blocks * 512 if found.st_nlink == 1 else 0
    return total


def npy_header(shape: tuple[int, ...]) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return made.getvalue()


# Name -> the file; what its job is to end with; and a part of what it says.
MODELS = {
    "a gzip of 8 GiB": (lambda: bombs.gzip_of(8 * GIB), "Unsupported", "a gzip archive"),
    "zips in zips": (lambda: bombs.nested_zip(5), "Unsupported", "a zip archive"),
    "60,000 times the same 8 GiB": (
        lambda: bombs.zip_of([f"{n}.npy" for n in range(60_000)], 8 * GIB),
        "Unsupported",
        "named arrays",
    ),
    "a pickle of 8 GiB": (lambda: bombs.zip_of(["archive/data.pkl"], 8 * GIB), "BadModel", "model.bin is damaged"),
    "an NNEF graph of 3 GiB": (
        lambda: bombs.zip_of(["graph.nnef"], 3 * GIB, GRAPH.encode()),
        "MemoryLimit",
        "its memory limit",
    ),
    "an NNEF graph of 8 GiB that says 1 kB": (
        lambda: bombs.zip_of(["graph.nnef"], 8 * GIB, GRAPH.encode(), said=1000),
        "BadModel",
        "'graph.nnef' in the archive is damaged",
    ),
}
DATA = {
    "an array of 8 GiB that says 48 bytes": (
        lambda: bombs.zip_of(["x.npy"], 8 * GIB, npy_header((4, 3))),
        "BadModel",
        "data.bin:x.npy is longer than its header says",
    ),
    "pictures of 8 GiB that say 16 bytes": (
        lambda: bombs.gzip_of(8 * GIB, bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2])),
        "BadModel",
        "data.bin is longer than its header says",
    ),
}


@pytest.fixture(scope="module")
def unpacked(service: Service, bench: Bench) -> tuple[dict[str, dict[str, Any]], int]:
    """Name -> its job, once all have ended; and by how much the service's data had grown meanwhile at most, as far as
    one saw, beside what was uploaded."""
    good = one(service, "model.onnx", (bench.build(NET, weights={"w": [8, 4]}) / "model.onnx").read_bytes())
    asked = {name: {"model": one(service, "model.bin", make())} for name, (make, *_) in MODELS.items()}
    asked |= {name: {"model": good, "data": one(service, "data.bin", make())} for name, (make, *_) in DATA.items()}
    before = on_disk(service.data)
    more = {"backends": ["onnxruntime"], "precision": "fp32", "memory_limit": MEMORY}
    jobs = {name: service.submit(**each, **more).json["id"] for name, each in asked.items()}
    most, deadline = 0, time.monotonic() + 4 * PATIENCE
    while any(service.ask("GET", f"/jobs?state={state}").json["jobs"] for state in ("queued", "running")):
        assert time.monotonic() < deadline, "they do not end"
        most = max(most, on_disk(service.data) - before)
        time.sleep(0.5)
    return {name: service.ask("GET", f"/jobs/{job}").json for name, job in jobs.items()}, most


@pytest.mark.parametrize("name", [*MODELS, *DATA])
def test_what_unpacks_without_end_ends_its_job(unpacked: tuple[dict[str, Any], int], name: str) -> None:
    job = unpacked[0][name]
    _, kind, text = {**MODELS, **DATA}[name]
    assert (job["state"], job["attempt"]) == ("failed", 1), "it is not tried again"
    assert (job["error"]["error"], job["exit_code"]) == (kind, 4 if kind == "MemoryLimit" else 2)
    assert text in job["error"]["message"]


def test_it_fills_no_disk(unpacked: tuple[dict[str, Any], int]) -> None:
    assert unpacked[1] < 256 << 20, "the cache has what was uploaded, and the tools' own files"


def test_links_and_names_in_a_tar_lead_nowhere(service: Service, tmp_path: Path) -> None:
    content = bombs.hostile_tar(GRAPH, tmp_path)
    job = ended(service, service.submit(model=one(service, "m.nnef.tgz", content)).json["id"])
    assert (job["state"], job["exit_code"]) == ("failed", 2)
    assert "w.dat" in job["error"]["message"]
    assert list(tmp_path.iterdir()) == []
    assert not [path for path in service.data.rglob("*") if path.name in ("absolute", "relative", "through", "null")]
    kept = b"".join(path.read_bytes() for path in (service.data / "jobs").rglob("*") if path.is_file())
    assert b"root:" not in kept


def texts() -> Iterator[tuple[str, Any]]:
    """Every field that takes a text, or a list of them, or files: what may be asked, from the request's own class."""
    for name, field in Asked.model_fields.items():
        kinds = str(field.annotation)
        if "Files" in kinds:
            yield name, "files"
        elif "list" in kinds:
            yield name, "list"
        elif "str" in kinds or str in get_args(field.annotation):
            yield name, "text"


def test_no_address_that_a_request_names_is_asked(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        here = f"127.0.0.1:{listening.getsockname()[1]}"
        digest = service.upload(
            f'name: "http://{here}/"\nlayer {{ data_param {{ source: "http://{here}/x" }} }}'.encode()
        )
        plain = {"model": {"files": {"m.prototxt": digest}, "entry": "m.prototxt"}, "targets": ["x86-64"]}
        together, fields = dict(plain), dict(texts())
        for name, kind in fields.items():
            for address in (f"http://{here}/x", f"s3://{here}/x", f"x@http://{here}/x"):
                given: Any = [address] if kind == "list" else address
                if kind == "files":
                    given = {"files": {address: digest}, "entry": address}
                asked = {**plain, name: given}
                if name == "zoo":
                    del asked["model"]
                answer = service.ask("POST", "/jobs", asked)
                assert answer.status in (201, 422), answer.body
                if answer.status == 201:
                    service.ask("POST", f"/jobs/{answer.json['id']}/cancel")
                    together[name] = given
        assert {"model", "zoo", "recipes", "metric", "preprocess", "label", "board", "reference"} <= fields.keys()
        assert "label" in together
        assert ended(service, service.ask("POST", "/jobs", together).json["id"])["state"] == "failed"
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
