"""Real spoken keywords (Speech Commands, CC-BY-4.0) as a WAV folder with one sub-folder per class."""

from __future__ import annotations

import re
import tarfile
import wave
from pathlib import Path

ARCHIVE = "models/acc_kws_audio/acc_kws_audio.tar.gz"
RATE = 16_000  # samples per second, 16 bits, mono
_CLASSES = {"Silence": "_silence_", "Unknown": "_unknown_"}  # others: in lower case, as arm_ml_kws/labels.txt has them


def unpack(shared: Path, folder: Path, *, per_class: int | None = None) -> Path:
    """280 one-second clips in 12 classes, or at most `per_class` of each, the first by name. Returns `folder`."""
    taken: dict[str, int] = {}
    with tarfile.open(shared / ARCHIVE) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            matched = re.fullmatch(r"tst_(\d+)_(\w+)_\d+\.bin", Path(member.name).name)
            content = archive.extractfile(member)
            if not matched or content is None:
                continue
            number, name = matched.groups()
            label = _CLASSES.get(name, name.lower())
            taken[label] = taken.get(label, 0) + 1
            if per_class is None or taken[label] <= per_class:
                write_wav(folder / label / f"{number}.wav", content.read())
    return folder


def write_wav(path: Path, pcm: bytes) -> Path:
    """`pcm`: 16-bit little-endian samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(RATE)
        clip.writeframes(pcm)
    return path
