"""WAV and image folders."""

from __future__ import annotations

import struct
import wave
import zlib
from pathlib import Path

import pytest

from tests.data.conftest import Read
from tests.data.keyword_clips import RATE, unpack, write_wav

CLASSES = ["_silence_", "_unknown_", "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"]


def png() -> bytes:
    """A grey pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_real_keyword_clips(shared: Path, tmp_path: Path, read: Read) -> None:
    folder = unpack(shared, tmp_path / "clips")
    (folder / "README.md").write_text("not a clip")
    answer = read(folder)
    assert answer.value == {"kind": "wav", "count": 280, "of": 280, "labelled": 280, "names": CLASSES}
    labels = answer.labels
    assert labels["names"] == CLASSES
    assert labels["items"] == sorted(labels["items"])
    assert [labels["names"][label] for label in labels["labels"]] == [name.split("/")[0] for name in labels["items"]]
    clips = sorted((answer.out / "items").iterdir())
    assert [clip.name for clip in clips] == [f"{number:06}.wav" for number in range(280)]
    for clip, name in list(zip(clips, labels["items"], strict=True))[::50]:
        assert clip.read_bytes() == (folder / name).read_bytes()
    with wave.open(str(clips[0])) as first:
        assert (first.getframerate(), first.getnframes()) == (RATE, RATE)


def test_a_choice_is_the_same_every_time_and_keeps_the_order(shared: Path, tmp_path: Path, read: Read) -> None:
    folder = unpack(shared, tmp_path / "clips", per_class=3)
    one, same, other = read(folder, limit=10, seed=1), read(folder, limit=10, seed=1), read(folder, limit=10, seed=2)
    assert one.labels == same.labels
    assert one.labels["items"] == sorted(one.labels["items"])
    assert one.labels["items"] != other.labels["items"]
    assert one.value["count"] == 10
    assert one.value["of"] == 36
    assert len(list((one.out / "items").iterdir())) == 10


def test_a_flat_folder_has_no_labels(tmp_path: Path, read: Read) -> None:
    for name in "ba":
        write_wav(tmp_path / "in" / f"{name}.wav", b"\1\2" * 100)
    answer = read(tmp_path / "in")
    assert answer.value == {"kind": "wav", "count": 2, "of": 2, "labelled": 0, "names": None}
    assert answer.labels == {"kind": "wav", "items": ["a.wav", "b.wav"], "labels": [None, None], "names": None}


def test_one_clip(tmp_path: Path, read: Read) -> None:
    answer = read(write_wav(tmp_path / "yes.wav", b"\1\2" * 100))
    assert answer.value["count"] == 1
    assert answer.labels["items"] == ["yes.wav"]


@pytest.mark.parametrize("keep", [0, 3, 11, 20, 43, 100, 243])
def test_a_truncated_clip_is_named(tmp_path: Path, read: Read, keep: int) -> None:
    write_wav(tmp_path / "in" / "yes" / "good.wav", b"\1\2" * 100)
    bad = write_wav(tmp_path / "in" / "yes" / "bad.wav", b"\1\2" * 100)
    bad.write_bytes(bad.read_bytes()[:keep])
    assert "yes/bad.wav is damaged" in read(tmp_path / "in").refusal


def test_a_clip_that_is_something_else_is_named(tmp_path: Path, read: Read) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.wav").write_bytes(b"ID3" + bytes(1000))
    assert "x.wav" in read(tmp_path / "in").refusal


def test_pictures(tmp_path: Path, read: Read) -> None:
    for name in ("cat/2.png", "cat/1.PNG", "dog/3.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png())
    (tmp_path / "in" / "dog" / "4.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(50) + b"\xff\xd9")
    answer = read(tmp_path / "in")
    assert answer.value == {"kind": "image", "count": 4, "of": 4, "labelled": 4, "names": ["cat", "dog"]}
    assert answer.labels["labels"] == [0, 0, 1, 1]
    assert sorted(path.name for path in (answer.out / "items").iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
        "000003.jpg",
    ]


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(50), png()[:-6]])
def test_a_damaged_picture_is_named(tmp_path: Path, read: Read, content: bytes) -> None:
    (tmp_path / "in" / "cat").mkdir(parents=True)
    (tmp_path / "in" / "cat" / "1.png").write_bytes(content)
    assert "cat/1.png" in read(tmp_path / "in").refusal


def test_real_pictures(shared: Path, tmp_path: Path, read: Read) -> None:
    source = shared / "models" / "ultraface_imgs"
    names = [path.name for path in source.iterdir() if path.suffix.lower() in (".jpg", ".png")]
    if not names:
        pytest.skip("not run: no pictures in the shared folder")
    answer = read(source)
    assert (answer.value["kind"], answer.value["count"]) == ("image", len(names))
