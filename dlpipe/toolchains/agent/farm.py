"""A service's farm of boards, as a job asks it: like a board's own agent (`client.Agent`), with the same methods.

The process of a job has a descriptor over which its worker answers (`service/farm/gateway.py`); `FARM` names it, and
the folder through which files go. An address is `farm:NAME#FINGERPRINT`, or `farm:any@TARGET` where any board of a kind
will do.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, ToolMissing, UserError
from dlpipe.toolchains.agent.client import packed
from dlpipe.toolchains.agent.parts.common import sha256

FARM = "DLPIPE_FARM"
ANY = "any"
_ADDRESS = re.compile(r"farm:(?:any@(?P<target>.+)|(?P<board>[^#]+)#(?P<fingerprint>[0-9a-f]+))")
_MAX_LINE = 64 << 20  # bytes
_LOST = ("lost", "stopped")  # kinds of errors


class BoardLost(StageFailed):
    """The board vanished while it worked."""


def is_farm(address: str | None) -> bool:
    return address is not None and address.startswith("farm:")


class FarmBoard:
    """address: see above. `hold`: what `held` gave, so that no other work comes between. Raises ToolMissing where this
    process has no farm, and StageFailed from all methods."""

    def __init__(self, address: str, hold: str | None = None) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise UserError(f"{address!r} is no board of a farm")
        self._link = _link()
        self._address, self._hold = address, hold
        self.lost: BoardLost | None = None  # of a board that is held: since when nothing that it does counts
        self._meant = {"board": match["board"], "target": match["target"]}
        self._fingerprint = match["fingerprint"]
        self._sent: dict[Path, str] = {}

    @classmethod
    def find(cls, board: str, target: str) -> Self:
        """The board of that name, as it is now; `any`: one of the kind `target`. Raises UserError where the team has
        none."""
        link = _link()
        name = None if board == ANY else board
        found = link.ask({"ask": "boards", "board": name, "target": target})["boards"]
        if not found:
            what = f"a board of the kind {target}" if name is None else f"a board called {name}"
            raise UserError(f"the farm has not {what} for this team", hint="dlpipe status --boards lists them")
        return cls(f"farm:any@{target}" if name is None else f"farm:{name}#{found[0]['fingerprint']}")

    @property
    def address(self) -> str:
        return self._address

    def machines(self) -> list[dict[str, Any]]:
        """Those that are meant: "address", "name", "machine" (as `uname -m` says it), "health"; those that work
        first."""
        found = self._link.ask({"ask": "boards", **self._meant})["boards"]
        return [{**each, "address": _address(each)} for each in found]

    @contextmanager
    def held(self) -> Iterator[FarmBoard]:
        """One board of those that are meant, for this process alone."""
        told = self._link.ask({"ask": "hold", **self._meant})
        try:
            yield FarmBoard(_address(told["board"]), told["hold"])
        finally:
            self._link.ask({"ask": "release", "hold": told["hold"]})

    def about(self) -> dict[str, Any]:
        """Of the first one."""
        found = self.machines()
        if not found:
            raise StageFailed(f"the farm has no {self._address} any more", board=self._address)
        return found[0]

    def run(self, call: Call, inputs: Mapping[str, Path]) -> tuple[dict[str, Any], bytes]:
        """(what the program said and the board it ran on, outputs.npz)."""
        told = self._task(call, inputs, {})
        return {**told["answer"], "board": told["board"]}, self._link.fetch(told["task"], told["outputs"])

    def time(self, call: Call, inputs: Mapping[str, Path]) -> dict[str, Any]:
        """As a `time` operation; params: handle, warmup, runs."""
        wanted = {key: call.params[key] for key in ("handle", "warmup", "runs")}
        found: dict[str, Any] = self._task(call, inputs, wanted)["answer"]
        return found

    def _ask_task(self, what: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._link.ask(what)
        except BoardLost as error:
            self.lost = error if self._hold is not None else None
            raise

    def _task(self, call: Call, inputs: Mapping[str, Path], wanted: Mapping[str, Any]) -> dict[str, Any]:
        for folder in inputs.values():
            if folder not in self._sent:
                self._sent[folder] = self._link.send(folder)
        if self.lost is not None:
            raise self.lost
        told = self._ask_task(
            {
                "ask": "task",
                **self._meant,
                "operation": call.operation,
                "question": {"code": call.params["code"], "guest": call.params["guest"], **wanted},
                "files": {name: self._sent[inputs[name]] for name in ("artifact", "samples")},
                "seconds": call.limits.wall_seconds,
                "hold": self._hold,
            }
        )
        board = told["board"]
        if self._fingerprint not in (None, board.get("fingerprint")):
            message = f"the board {board['name']} is another machine than when this run began"
            raise StageFailed(message, hint="run it again", board=board["name"])
        return told


class _Link:
    """To the worker that started this process."""

    def __init__(self, control: socket.socket, folder: Path) -> None:
        self._control, self._folder = control, folder

    def ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        ours, theirs = socket.socketpair()
        try:
            with ours, ours.makefile("rb") as lines:
                with theirs:
                    socket.send_fds(self._control, [b"?"], [theirs.fileno()])
                ours.sendall(json.dumps(what).encode() + b"\n")
                told: dict[str, Any] = json.loads(lines.readline(_MAX_LINE))
        except (OSError, ValueError) as error:
            raise StageFailed("the worker of this job does not answer for the farm") from error
        if (wrong := told.get("error")) is not None:
            kind = BoardLost if wrong["kind"] in _LOST else StageFailed
            raise kind(wrong["message"], hint="dlpipe status --boards shows how they are", board=wrong["board"])
        return told

    def send(self, folder: Path) -> str:
        """The digest under which a tar of the folder lies where the farm finds it."""
        body = packed(folder)
        digest = sha256(body)
        place = self._folder / digest
        if not place.exists():
            part = self._folder / f"{digest}-{secrets.token_hex(4)}.part"
            part.write_bytes(body)
            part.replace(place)
        return digest

    def fetch(self, task: str, digest: str) -> bytes:
        place = self._folder / task
        body = place.read_bytes()
        place.unlink()
        if sha256(body) != digest:
            raise StageFailed("the board sent other outputs than it speaks of")
        return body


@cache
def _link() -> _Link:
    """Raises ToolMissing."""
    descriptor, _, folder = os.environ.get(FARM, "").partition(":")
    if not folder:
        raise ToolMissing("boards of a farm belong to a service", hint="dlpipe submit --board NAME|any, not convert")
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    return _Link(control, Path(folder))


def _address(board: Mapping[str, Any]) -> str:
    return f"farm:{board['name']}#{board['fingerprint']}"
