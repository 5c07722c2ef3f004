"""TensorBoard's event files, and the one line that the user sees."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


class Logbook:
    """Scalars into `folder`; of a team, only the leader has one that writes."""

    def __init__(self, folder: Path | None, progress: Callable[..., None]) -> None:
        self._progress = progress
        self._writer: Any = None
        if folder is not None:
            from tensorboardX import SummaryWriter

            # Parts of a training that begin within one second would write into one file: the name has the second.
            part = f".{len(list(folder.iterdir()))}"
            self._writer = SummaryWriter(logdir=str(folder), flush_secs=30, filename_suffix=part)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def say(self, message: str, share: float) -> None:
        if self._writer is not None:
            self._progress(message, share)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
