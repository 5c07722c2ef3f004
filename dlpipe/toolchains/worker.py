"""One warm, jailed worker process of a toolchain: it serves calls one after the other."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call, Limits
from dlpipe.errors import DlpipeError, Interrupted, StageFailed, ToolMissing
from dlpipe.toolchains import failures
from dlpipe.toolchains.channel import Channel, Closed, ProtocolError
from dlpipe.toolchains.chatter import Chatter
from dlpipe.toolchains.code import Shelf
from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.gc import remove_tree
from dlpipe.toolchains.jail import JailKind, Prisoner, shims, tree
from dlpipe.toolchains.layout import Layout
from dlpipe.toolchains.outputs import check_outputs
from dlpipe.toolchains.supervisor import Supervisor

OnEvent = Callable[[Mapping[str, Any]], None]

_READY_SECONDS = 120.0  # a cold interpreter on a busy machine's disk
_DEATH_SECONDS = 5.0


@dataclass(slots=True)
class Place:
    """Where one call finds its inputs and leaves its outputs: `inputs/<name>/` is the caller's to fill, one folder
    per input; `out` holds the result once the call has returned, and is the caller's to take away or leave.

    `handed_on` says which files belong to the output too, but are not in `out`: name -> the input whose file of that
    name it is, untouched."""

    label: str
    inputs: Path
    out: Path
    handed_on: dict[str, str] = field(default_factory=dict)


class Worker:
    """Made by `WorkerPool`; not for use from several threads at once.

    `healthy` turns false with the first failure that is not the model's, and the worker is then of no further use.
    `has_served` turns true with the first call; importing what a call will need does not count.
    """

    def __init__(
        self,
        kind: JailKind,
        environment: Environment,
        resources: Mapping[str, Environment],
        layout: Layout,
        shelf: Shelf,
        limits: Limits,
        log: Path,
    ) -> None:
        """Start it, up to its first word. Raises StageFailed if it does not come up."""
        if environment.python is None:
            raise ToolMissing(f"the {environment.name} toolchain is a resource; it has no interpreter to run a worker")
        self.environment = environment
        self.limits = limits
        self.healthy = True
        self.has_served = False
        self.log = log
        self._layout = layout
        self._shelf = shelf
        self._resources = {name: layout.resource(name, held.root) for name, held in resources.items()}
        self._ids = itertools.count(1)
        self._early_notes: list[str] = []  # what was tried while a worker file was loaded, for the next call to tell
        self._closed = False
        self._closing = ExitStack()
        try:
            for held in (environment, *resources.values()):
                self._closing.enter_context(held.hold())
            self._start(kind, resources, limits)
        except BaseException:
            self._closing.close()
            raise

    def _start(self, kind: JailKind, resources: Mapping[str, Environment], limits: Limits) -> None:
        layout = self._layout
        layout.make()
        self._closing.callback(remove_tree, layout.base)
        attempts = shims.write(layout.shims, layout.inside(layout.shims))
        pipe_read, pipe_write = os.pipe()
        self._chatter = Chatter(pipe_read, attempts, self.log, isolated=kind.isolates)
        self._closing.callback(self._chatter.close)
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._closing.callback(self._channel.close)
        try:
            cell = layout.cell(self.environment, resources, self._shelf.folder, theirs.fileno(), limits)
            self._prisoner = Prisoner.start(kind, cell, chatter=pipe_write, empty=layout.root)
        except OSError as error:
            said = failures.telling_line(self._chatter.tail())
            message = f"no worker of the {self.environment.name} toolchain could be started: {said or error}"
            raise StageFailed(message, hint="dlpipe doctor", **self._where()) from error
        finally:
            os.close(pipe_write)
            theirs.close()
        self._supervisor = Supervisor(self._prisoner, self._chatter, layout.outputs, limits)
        self._supervisor.start()
        self._closing.callback(self._supervisor.join)
        self._closing.callback(self._prisoner.end)
        self.python = self._await_ready()

    def _await_ready(self) -> str:
        try:
            event = self._channel.receive(time.monotonic() + _READY_SECONDS)
            if event["event"] != "ready":
                raise ProtocolError(f"its first word was {event['event'][:80]!r}")
        except (Closed, ProtocolError, TimeoutError) as error:
            raise self._failure(error, _READY_SECONDS, self._where()) from error
        return str(event.get("python"))

    @property
    def pid(self) -> int:
        """The process under which all of the worker hangs, as the host numbers processes."""
        return self._prisoner.head

    def alive(self) -> bool:
        """Whether it can serve a further call."""
        return self.healthy and self._prisoner.status() is None

    def pin(self, cpus: Iterable[int]) -> None:
        """Keep it, and all that it starts from now on, to these CPUs. Without effect where the system cannot do so."""
        wanted = set(cpus)
        for process in tree.processes(self.pid):
            with suppress(OSError):  # it ended meanwhile
                for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - names, not paths
                    with suppress(OSError):
                        os.sched_setaffinity(int(thread), wanted)

    def place(self, label: str = "call") -> Place:
        """A place for a call, empty. A label names one place: asking for it again empties it.

        The worker sees the same paths in every run, so that they may end up in an artefact. Several places exist side
        by side under different labels, as a worker that keeps loaded models between `time` calls needs.
        """
        inputs, out = self._layout.place(label)
        return Place(label, inputs, out)

    def clear(self) -> None:
        """Empty every place, before others use the worker."""
        self._layout.clear()

    def call(self, call: Call, place: Place, on_event: OnEvent | None = None, log: Path | None = None) -> Any:
        """Run `call` on what lies in `place.inputs`; return its JSON value, with the outputs in `place.out`.

        `on_event` gets `progress` (message, fraction) and `note` (level, message, where) events as they come. The
        tool's chatter goes into `log`. Raises BadModel and Unsupported when the model is at fault, StageFailed for
        anything else, Interrupted when the pool is closed meanwhile.
        """
        self.has_served = True
        log = log or self.log
        where = self._where(call, log)
        tell = on_event or _ignore
        place.out = self._layout.fresh_out(place.label)
        place.handed_on = {}
        self._chatter.begin(log)
        self._supervisor.watch(call.limits)
        try:
            value = self._converse(self._request(call, place), call.limits, tell, where, place)
            place.out = self._layout.take_out(place.label)
            _check(place, call.limits, where)
        except StageFailed:
            self.healthy = False
            raise
        except DlpipeError:
            raise
        except BaseException:
            self.healthy = False
            raise
        finally:
            notes, self._early_notes = [*self._early_notes, *self._chatter.take_notes()], []
            for note in notes:
                tell({"event": "note", "level": "warning", "message": note, "where": {}})
        return value

    def load(self, call: Call) -> None:
        """Import the file that `call` runs, and with it its tool, so that the call finds them there. Raises as it."""
        self._chatter.begin(self.log)
        self._supervisor.watch(call.limits)
        try:
            self._converse(self._request(call, None), call.limits, _ignore, self._where(call))
        except BaseException:
            self.healthy = False
            raise
        finally:
            self._early_notes += self._chatter.take_notes()

    def close(self) -> None:
        """End the process and all that it started, and remove its folders."""
        self._closed = True
        self._closing.close()

    def interrupt(self) -> None:
        """From another thread: end the process, so that a call under way returns (with Interrupted)."""
        self._closed = True
        self._prisoner.end()

    def _request(self, call: Call, place: Place | None) -> dict[str, Any]:
        """Without a place: to load the worker file, and no more."""
        inputs = {entry.name: self._layout.inside(entry) for entry in sorted(place.inputs.iterdir())} if place else {}
        return {
            "id": next(self._ids),
            "worker": self._layout.code(self._shelf.put(call.worker, call.libraries)),
            "operation": call.operation if place else None,
            "params": dict(call.params) if place else {},
            "inputs": inputs,
            "out": self._layout.inside(place.out) if place else "",
            "resources": self._resources,
        }

    def _converse(
        self,
        request: dict[str, Any],
        limits: Limits,
        tell: OnEvent,
        where: dict[str, Any],
        place: Place | None = None,
    ) -> Any:
        deadline = time.monotonic() + limits.wall_seconds
        try:
            self._channel.send(request)
            while True:
                event = self._channel.receive(deadline)
                if event.get("id") != request["id"]:
                    raise ProtocolError("it answered a question that was not asked")
                match event["event"]:
                    case "result":
                        return event.get("value")
                    case "failed":
                        raise failures.reported(event, limits, where)
                    case "progress":
                        tell({"event": "progress", "message": event.get("message"), "fraction": event.get("fraction")})
                    case "note":
                        places = event.get("where")
                        tell(
                            {
                                "event": "note",
                                "level": "warning" if event.get("level") == "warning" else "info",
                                "message": event.get("message") or "",
                                "where": places if isinstance(places, dict) else {},
                            }
                        )
                    case "handed-on" if place is not None:
                        _hand_on(place, event)
                    case other:
                        raise ProtocolError(f"it sent an event of an unknown type: {other[:80]!r}")
        except (Closed, ProtocolError, TimeoutError) as error:
            raise self._failure(error, limits.wall_seconds, where) from error

    def _failure(self, error: Exception, seconds: float, where: dict[str, Any]) -> DlpipeError:
        """What it means that the worker fell silent; the process is ended if it has not ended itself."""
        status = self._prisoner.wait(_DEATH_SECONDS) if isinstance(error, Closed) else None
        self._prisoner.end()
        self._supervisor.join(_DEATH_SECONDS)
        if self._closed:
            return Interrupted("the run was stopped", **where)
        if self._supervisor.breach is not None:
            return failures.breached(self._supervisor.breach, where)
        if isinstance(error, TimeoutError):
            return failures.timed_out(seconds, where)
        if isinstance(error, Closed) and status is not None:
            return failures.died(status, self._chatter.tail(), where)
        return failures.broke_protocol(str(error) or "it closed its connection and went on", where)

    def _where(self, call: Call | None = None, log: Path | None = None) -> dict[str, Any]:
        where: dict[str, Any] = {"toolchain": self.environment.name, "log": str(log or self.log)}
        if call is not None:
            where["operation"] = call.operation
        return where


def _hand_on(place: Place, event: Mapping[str, Any]) -> None:
    """The worker may name any file that it was given, and nothing else. Raises ProtocolError."""
    source, name = event.get("input"), event.get("file")
    given = {each.name: each for each in place.inputs.iterdir()}
    files = {each.name for each in given[source].iterdir() if each.is_file()} if source in given else set()
    if source is None or name not in files:
        raise ProtocolError(f"it handed on a file that it was not given: {name!r:.80} of {source!r:.80}")
    place.handed_on[name] = source


def _check(place: Place, limits: Limits, where: dict[str, Any]) -> None:
    try:
        check_outputs(place.out, limits.file_size)
        twice = [name for name in place.handed_on if os.path.lexists(place.out / name)]
        if twice:
            raise StageFailed(f"the tool wrote {twice[0]!r} and handed it on as well")
    except StageFailed as error:
        error.where.update(where)
        raise


def _ignore(_event: Mapping[str, Any]) -> None:
    pass
