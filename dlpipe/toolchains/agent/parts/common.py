"""What all parts of the agent share: its numbers, signatures, the error that the other side is told.

The parts make one program, for Python 3.7 with the standard library alone: `program.py` puts them together.
"""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Dict

VERSION = 4
TOKEN = "DLPIPE_AGENT_TOKEN"  # the variable that holds the one for direct connections
MAX_BODY = 4 << 30  # bytes of one upload, which goes to a file
MAX_OUTPUTS = 1 << 30  # of a run, which go through memory
MAX_ASKED = 64 << 20  # of any other request
MAX_CONNECTIONS = 64  # at a time
MAX_SKEW = 300  # seconds that the clocks may be apart
MAX_HELD = 8  # models that stay loaded between timings
ABOUT = "/v1/about"  # which is asked for before the session is known
SERVER_TOKEN = "DLPIPE_TOKEN"  # the one for a service
HOUSE = "dlpipe_guest"  # the package that the sent code is made a part of
CHUNK = 1 << 20
LOOK = 1.0  # seconds between two looks whether the other side still waits


def signature(token: str, *parts: str) -> str:
    """Of a request: method, path, time, nonce, SHA-256 of the body, and, of all but `about`, the session; of an answer:
    "answer", status, nonce, SHA-256."""
    return hmac.new(token.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Failed(Exception):
    """What the other side is told, with a status of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def without_tokens() -> Dict[str, str]:
    """The environment of what is started."""
    return {name: value for name, value in os.environ.items() if name not in (TOKEN, SERVER_TOKEN)}


def check_digest(digest: str) -> None:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise Failed("not a digest")


def inside(folder: Path, name: str) -> Path:
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or not parts:
        raise Failed("a name leaves its folder: %r" % name)
    return folder.joinpath(*parts)
