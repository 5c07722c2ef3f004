"""WAV clips: a folder with one sub-folder per class, a flat folder, which may hold a table of transcripts, or one file.
Worker side."""

from __future__ import annotations

import struct
import wave
from dataclasses import replace
from pathlib import Path

from dlpipe_worker import Refused

from .dataset import Dataset
from .files import by_class, single
from .transcripts import transcripts

_BLOCK = 1 << 16  # frames
_WIDTH = 2  # bytes a sample: all that the frameworks' decoders read


def read(path: Path) -> Dataset:
    check = _Check()
    if not path.is_dir():
        return single(path, "wav", check)
    found = by_class(path, "wav", (".wav",), check)
    texts = transcripts(path, found.items)
    return found if texts is None else replace(found, labels=texts)


class _Check:
    """Raises Refused unless a clip is 16-bit PCM audio, as long as its header says, at the rate of the clips before."""

    def __init__(self) -> None:
        self._first: tuple[str, int] | None = None  # a clip, and its rate in Hz

    def __call__(self, path: Path, name: str) -> None:
        try:
            with path.open("rb") as file, wave.open(file) as clip:
                self._check(clip, name)
        except (wave.Error, EOFError, ValueError, ZeroDivisionError, struct.error) as error:
            reason = str(error) or "it ends early"
            raise Refused(f"the clip {name} is damaged, or not PCM audio: {reason}") from error

    def _check(self, clip: wave.Wave_read, name: str) -> None:
        width, rate = clip.getsampwidth(), clip.getframerate()
        if width != _WIDTH:
            raise Refused(
                f"the clip {name} has {8 * width} bits a sample, and {8 * _WIDTH} are read",
                kind="unsupported",
                hint=f"convert the clips, e.g. sox in.wav -b {8 * _WIDTH} out.wav",
            )
        self._first = self._first or (name, rate)
        if rate != self._first[1]:
            raise Refused(
                f"the clip {name} has {rate:,} Hz, and {self._first[0]} has {self._first[1]:,}",
                kind="unsupported",
                hint="bring all clips to the rate that the model was trained with, e.g. sox in.wav -r 16000 out.wav",
            )
        left, frame = clip.getnframes(), clip.getnchannels() * width
        while left > 0:
            data = clip.readframes(min(left, _BLOCK))
            if not data:
                raise EOFError(f"{left} of {clip.getnframes()} frames are missing")
            left -= len(data) // frame
