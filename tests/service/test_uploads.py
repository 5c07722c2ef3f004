"""Files by digest: resumed, wrong, too large, and nobody else's."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import http.client
import itertools
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlpipe.service import uploads as uploading
from dlpipe.service.client import Client
from dlpipe.service.uploads import UploadRefused, Uploads

from .running import ADMINISTRATOR, Service, eventually

_numbers = itertools.count()


def content(size: int = 100_000) -> tuple[bytes, str]:
    """Another one each time, and its digest."""
    made = f"{{{next(_numbers)} ".encode().ljust(size, b"x")  # which only who looks into it can tell to be no model
    return made, hashlib.sha256(made).hexdigest()


def test_what_is_here_is_not_sent_again(idle: Service) -> None:
    whole, digest = content()
    assert idle.ask("HEAD", f"/uploads/{digest}").status == 404
    assert idle.ask("PUT", f"/uploads/{digest}", whole).status == 201
    told = idle.ask("HEAD", f"/uploads/{digest}")
    assert (told.status, told.headers["upload-offset"], told.headers["upload-complete"]) == (204, "100000", "?1")
    assert idle.ask("PUT", f"/uploads/{digest}", whole).status == 201, "twice is as good as once"


def test_many_are_asked_about_at_once(idle: Service) -> None:
    (whole, here), (parted, begun), (_, nowhere) = content(), content(), content()
    idle.upload(whole)
    part = {"Content-Range": f"bytes 0-59999/{len(parted)}"}
    assert idle.ask("PUT", f"/uploads/{begun}", parted[:60_000], headers=part).status == 202
    asked = {"digests": [here, begun, nowhere]}
    assert idle.ask("POST", "/uploads", asked).json == {"missing": {begun: 60_000, nowhere: 0}}
    assert idle.ask("POST", "/uploads", asked, token=idle.token("others who ask", "submit")).json == {
        "missing": dict.fromkeys(asked["digests"], 0)
    }
    for wrong in (["x"], ["0" * 64] * 1001):
        assert idle.ask("POST", "/uploads", {"digests": wrong}).status == 422
    assert idle.ask("POST", "/uploads", b" " * ((8 << 20) + 1)).status == 413, "it is no upload"


def test_an_empty_file(idle: Service) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    assert idle.ask("PUT", f"/uploads/{digest}", b"").status == 201


def test_a_broken_connection_is_gone_on_from(idle: Service) -> None:
    """Cut off in the middle by the sender, not by a tidy request for a part."""
    whole, digest = content()
    connection = http.client.HTTPConnection("127.0.0.1", idle.port)
    connection.putrequest("PUT", f"/api/v1/uploads/{digest}")
    connection.putheader("Authorization", f"Bearer {ADMINISTRATOR}")
    connection.putheader("Content-Length", str(len(whole)))
    connection.endheaders(whole[:60_000])
    eventually(lambda: idle.ask("HEAD", f"/uploads/{digest}").status == 204)
    connection.close()

    def stands() -> int:
        told = idle.ask("HEAD", f"/uploads/{digest}").headers
        assert told["upload-complete"] == "?0"
        return int(told["upload-offset"])

    offset = eventually(stands)
    assert 0 < offset <= 60_000

    def rest() -> bool:
        """The server may still hold what was cut off."""
        first = stands()
        headers = {"Content-Range": f"bytes {first}-{len(whole) - 1}/{len(whole)}"}
        return idle.ask("PUT", f"/uploads/{digest}", whole[first:], headers=headers).status == 201

    eventually(rest)
    assert idle.ask("HEAD", f"/uploads/{digest}").headers["upload-complete"] == "?1"


def test_the_client_goes_on_by_itself(idle: Service, tmp_path: Path) -> None:
    whole, digest = content()
    part = {"Content-Range": f"bytes 0-49999/{len(whole)}"}
    assert idle.ask("PUT", f"/uploads/{digest}", whole[:50_000], headers=part).status == 202
    (tmp_path / "model.onnx").write_bytes(whole)
    client = Client(f"http://127.0.0.1:{idle.port}", ADMINISTRATOR)
    job = client.submit(tmp_path / "model.onnx", target="x86-64")
    assert job["state"] == "queued"
    assert idle.ask("HEAD", f"/uploads/{digest}").headers["upload-complete"] == "?1"


def test_a_server_that_was_killed_while_it_checked(idle: Service, tmp_path: Path) -> None:
    """All bytes are there, under the name of a part."""
    whole, digest = content()
    part = {"Content-Range": f"bytes 0-99998/{len(whole)}"}
    assert idle.ask("PUT", f"/uploads/{digest}", whole[:-1], headers=part).status == 202
    (stored,) = idle.data.rglob(f"{digest}.part")
    stored.write_bytes(whole)
    (tmp_path / "model.onnx").write_bytes(whole)
    client = Client(f"http://127.0.0.1:{idle.port}", ADMINISTRATOR)
    assert client.submit(tmp_path / "model.onnx", target="x86-64")["state"] == "queued"


def test_all_that_belongs_to_a_model_and_its_data_is_sent(idle: Service, tmp_path: Path) -> None:
    """A folder that is a model, files that belong together, and a data set in folders by class."""
    sent = {}

    def write(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made, sent[name] = content(100)
        path.write_bytes(made)
        return path

    folder = write("saved/saved_model.pb").parent
    write("saved/variables/variables.index")
    write("caffe/net.prototxt")
    weights = write("caffe/net.caffemodel")
    labels = write("labels.txt")
    data = write("clips/yes/1.wav").parents[1]
    write("clips/no/1.wav")
    client = Client(f"http://127.0.0.1:{idle.port}", ADMINISTRATOR)
    whole = client.submit(folder, target="x86-64", data=data, labels=labels, max_accuracy_drop="0.5%")
    assert (whole["title"], whole["label"]) == ("saved", "saved")
    assert client.submit(folder / "saved_model.pb", target=["x86-64"], label="mine")["label"] == "mine"
    assert client.submit(f"caffe:{weights}", target="x86-64", label="mine")["title"] == "net.caffemodel"
    for name, digest in sent.items():
        assert idle.ask("HEAD", f"/uploads/{digest}").headers["upload-complete"] == "?1", name


def test_two_senders_of_one_file_leave_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second opens the part, and gets its lock only when the first has finished."""
    whole, digest = content()
    uploads = Uploads(tmp_path)

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        yield data

    def send(data: bytes) -> None:
        asyncio.run(uploads.take(digest, 0, len(whole), chunks(data)))

    def late(descriptor: object, operation: int) -> None:
        monkeypatch.setattr(uploading, "fcntl", fcntl)
        first = threading.Thread(target=send, args=(whole,))
        first.start()
        first.join()
        fcntl.flock(descriptor, operation)

    # In that module alone: the threads of other tests lock files meanwhile.
    monkeypatch.setattr(uploading, "fcntl", SimpleNamespace(**{**vars(fcntl), "flock": late}))
    with pytest.raises(UploadRefused) as refused:
        send(whole[:10])
    assert refused.value.status == 409
    assert uploads.path(digest).read_bytes() == whole


def test_a_part_that_does_not_fit_is_told_where_to_go_on(idle: Service) -> None:
    whole, digest = content()
    assert (
        idle.ask("PUT", f"/uploads/{digest}", whole[:10], headers={"Content-Range": "bytes 0-9/100000"}).status == 202
    )
    gap = idle.ask("PUT", f"/uploads/{digest}", whole[20:], headers={"Content-Range": "bytes 20-99999/100000"})
    assert (gap.status, gap.headers["upload-offset"]) == (409, "10")


def test_another_content_than_promised_is_thrown_away(idle: Service) -> None:
    whole, digest = content()
    wrong = idle.ask("PUT", f"/uploads/{digest}", b"y" + whole[1:])
    assert wrong.status == 422
    assert idle.ask("HEAD", f"/uploads/{digest}").status == 404
    assert idle.ask("PUT", f"/uploads/{digest}", whole).status == 201


def test_too_large(idle: Service) -> None:
    """The server of these tests takes 1 MB."""
    whole, digest = content(1_000_001)
    assert idle.ask("PUT", f"/uploads/{digest}", whole).status == 413
    announced = {"Content-Range": "bytes 0-9/10000000000"}
    assert idle.ask("PUT", f"/uploads/{digest}", whole[:10], headers=announced).status == 413
    more = idle.ask("PUT", f"/uploads/{digest}", whole[:500], headers={"Content-Range": "bytes 0-9/10"})
    assert more.status == 400
    assert (
        not list(idle.data.rglob(f"{digest}*"))
        or idle.ask("HEAD", f"/uploads/{digest}").headers["upload-offset"] == "0"
    )


@pytest.mark.parametrize("given", ["bytes 5-4/10", "bytes 0-10/10", "bytes */10", "items 0-9/10", "bytes 0-9/*", "x"])
def test_ranges_that_are_none(idle: Service, given: str) -> None:
    _, digest = content()
    assert idle.ask("PUT", f"/uploads/{digest}", b"x", headers={"Content-Range": given}).status == 400


@pytest.mark.parametrize("name", ["x", "A" * 64, "0" * 63, "../../etc/passwd", "..%2f..%2fetc%2fpasswd"])
def test_names_that_are_no_digest(idle: Service, name: str) -> None:
    assert idle.ask("PUT", f"/uploads/{name}", b"x").status in (404, 422)


def test_another_teams_file_is_not_there(idle: Service) -> None:
    whole, digest = content()
    mine, theirs = (idle.token(team, "read", "submit") for team in ("mine", "theirs"))
    idle.upload(whole, token=mine)
    assert idle.ask("HEAD", f"/uploads/{digest}", token=theirs).status == 404
    asked = {"model": {"files": {"m.onnx": digest}, "entry": "m.onnx"}, "targets": ["x86-64"]}
    refused = idle.ask("POST", "/jobs", asked, token=theirs)
    assert (refused.status, refused.json["missing"]) == (422, [digest])
    assert idle.ask("PUT", f"/uploads/{digest}", whole[:-1], token=theirs).status == 422, "all of it has to be sent"
    assert idle.ask("POST", "/jobs", asked, token=mine).status == 201


def test_a_sender_that_fell_silent_does_not_keep_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, digest = content()
    uploads = Uploads(tmp_path)
    monkeypatch.setattr("dlpipe.service.uploads.SILENCE_SECONDS", 0.1)

    async def half() -> AsyncIterator[bytes]:
        yield whole[:50_000]
        await asyncio.sleep(60)

    async def rest() -> AsyncIterator[bytes]:
        yield whole[50_000:]

    with pytest.raises(UploadRefused, match="nothing came"):
        asyncio.run(uploads.take(digest, 0, len(whole), half()))
    assert asyncio.run(uploads.take(digest, 50_000, len(whole), rest())).complete


def test_a_full_disk_is_no_bug(idle: Service) -> None:
    whole, digest = content(900_000)
    assert idle.ask("PUT", f"/uploads/{digest}", b"x", headers={"Content-Range": "bytes 0-0/900000"}).status == 202
    (stored,) = idle.data.rglob(f"{digest}.part")
    stored.unlink()
    stored.symlink_to("/dev/full")
    refused = idle.ask("PUT", f"/uploads/{digest}", whole)
    assert (refused.status, refused.json["title"]) == (507, "Insufficient Storage")
