"""What the content of a file or folder is, told in the jail without any framework. The suffix plays no part."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call, Limits
from dlpipe.frontends import KIT


def sniff_call(entry: str) -> Call:
    """Input: `source`. Value: the fields of `contracts.frontend.Sniffed`.

    Raises BadModel for a file that begins as a model and then is damaged; what is no model at all has the format
    "unknown" and the reason.
    """
    limits = Limits(memory=2 << 30, wall_seconds=600)
    worker = Path(__file__).with_name("worker.py")
    return Call("base", worker, "sniff", {"entry": entry}, libraries=(KIT,), limits=limits)
