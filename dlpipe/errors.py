"""Every error that dlpipe raises on purpose.

    DlpipeError
    ├── UserError          exit 2    the input or an option is wrong, or a tool is missing; says what to do
    │   ├── BadModel                 the file is damaged, hostile, or not what it says it is
    │   ├── Unsupported              understood, but this tool or target cannot do it; names node and operator
    │   ├── DiskTrouble              a disk that must be written is full, read-only or failing
    │   │   └── StoreUnreachable     the store that machines share does not answer, or refuses
    │   ├── ClusterTrouble           a Ray cluster has not what a stage needs, or fails it again and again
    │   │   └── ClusterUnreachable   it takes no work at all
    │   └── ToolMissing              an interpreter, a program or a download that is needed is not to be had
    ├── GateFailed         exit 3    a limit the user set is broken, or cannot be evaluated
    ├── StageFailed        exit 4    a tool crashed, timed out, ran out of memory, or broke the protocol
    └── Interrupted        exit 130  Ctrl-C or SIGTERM

Anything else that escapes is a bug of dlpipe (exit 70).
"""

from __future__ import annotations

from typing import Any


class DlpipeError(Exception):
    """Base of all. `message` says what happened, `hint` what to do next, `where` the node, op, tool, version."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str | None = None, **where: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = {key: value for key, value in where.items() if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """The same as data, for `--json`."""
        return {
            "error": type(self).__name__,
            "exit_code": self.exit_code,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
        }


class UserError(DlpipeError):
    exit_code = 2


class BadModel(UserError):
    pass


class Unsupported(UserError):
    pass


class DiskTrouble(UserError):
    """No stage is to blame, so the run ends even where a stage may fail."""


class StoreUnreachable(DiskTrouble):
    """What was made is kept on this machine, so the same command goes on from there once the store answers."""


class ClusterTrouble(UserError):
    """As with a disk, no stage is to blame, and the run ends."""


class ClusterUnreachable(ClusterTrouble):
    """Nothing else would fare better there until it is back."""


class ToolMissing(UserError):
    pass


class GateFailed(DlpipeError):
    exit_code = 3


class StageFailed(DlpipeError):
    """`where` holds: stage, tool, version, node, op, signal or status, log (path), bundle (reproduction folder)."""

    exit_code = 4


class Interrupted(DlpipeError):
    exit_code = 130


def how_to_add(extra: str) -> str:
    """A hint: what brings an extra's packages. dlpipe is in no index yet, where anybody might take its name."""
    return f"pip install -e '.[{extra}]' in the folder of dlpipe's sources"
