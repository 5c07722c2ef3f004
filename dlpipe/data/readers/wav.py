"""WAV clips: a folder with one sub-folder per class, a flat folder, or one file. Worker side."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

from dlpipe_worker import Refused

from .dataset import Dataset
from .files import by_class, single

_BLOCK = 1 << 16  # frames


def read(path: Path) -> Dataset:
    return by_class(path, "wav", (".wav",), check) if path.is_dir() else single(path, "wav", check)


def check(path: Path, name: str) -> None:
    """Raises Refused unless it is PCM audio, as long as its header says."""
    try:
        with path.open("rb") as file, wave.open(file) as clip:
            left, frame = clip.getnframes(), clip.getnchannels() * clip.getsampwidth()
            while left > 0:
                data = clip.readframes(min(left, _BLOCK))
                if not data:
                    raise EOFError(f"{left} of {clip.getnframes()} frames are missing")
                left -= len(data) // frame
    except (wave.Error, EOFError, ValueError, ZeroDivisionError, struct.error) as error:
        reason = str(error) or "it ends early"
        raise Refused(f"the clip {name} is damaged, or not PCM audio: {reason}") from error
