"""WAV folders."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from dlpipe.data import prepare_call
from dlpipe.errors import Unsupported
from tests.conftest import Bench
from tests.data.conftest import Read
from tests.data.keyword_clips import RATE, unpack, write_wav

CLASSES = ["_silence_", "_unknown_", "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"]


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


def test_clips_that_no_decoder_reads_are_told_so(tmp_path: Path, read: Read) -> None:
    write_wav(tmp_path / "in" / "a.wav", b"\1\2" * 100)
    with wave.open(str(tmp_path / "in" / "b.wav"), "wb") as clip:
        clip.setparams((1, 1, RATE, 0, "NONE", ""))
        clip.writeframes(bytes(100))
    assert "b.wav has 8 bits a sample, and 16 are read" in read(tmp_path / "in").refusal
    with wave.open(str(tmp_path / "in" / "b.wav"), "wb") as clip:
        clip.setparams((1, 2, RATE // 2, 0, "NONE", ""))
        clip.writeframes(bytes(100))
    assert "b.wav has 8,000 Hz, and a.wav has 16,000" in read(tmp_path / "in").refusal


def test_clips_for_a_model_that_takes_tensors(tmp_path: Path, read: Read, bench: Bench) -> None:
    """What to do spoke of pictures."""
    clip = read(write_wav(tmp_path / "yes.wav", b"\1\2" * 100)).out
    ir = tmp_path / "ir"
    ir.mkdir()
    (ir / "contract.json").write_text(json.dumps({"inputs": [{"name": "x", "dtype": "float32", "shape": [1, 4]}]}))
    with pytest.raises(Unsupported, match="the data holds wav files, and the model takes tensors") as caught:
        bench.run(prepare_call(10, 1, []), ir=ir, data=clip)
    assert caught.value.hint == "give features as .npz (x, y)"
