"""Generated files to run a preprocessing graph on when its output shapes cannot be told without running it."""

import struct
import zlib

SAMPLE_RATE = 16000  # Hz


def wav(seconds: float = 1.0, rate: int = SAMPLE_RATE) -> bytes:
    """A silent 16-bit mono PCM clip."""
    data = bytes(2 * int(seconds * rate))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def png(width: int = 224, height: int = 224) -> bytes:
    """A black RGB picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(3 * width)) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def example(accepts: str) -> bytes:
    """A file of the kind that a preprocessing graph `accepts`: "wav", "image" or "text"."""
    return {"wav": wav, "image": png}.get(accepts, lambda: b"0")()
