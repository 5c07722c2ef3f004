"""The runtime that every worker shares: standard library only, clean down to Python 3.6.

Started by the host as `python dlpipe_worker.py FD RLIMITS`. FD is one end of a Unix socket pair: the host writes one
request per line (JSON) and reads events, one per line. A request names the worker file, the operation, its parameters,
the input folders, the output folder and the resources. Standard output and error belong to the tool's chatter. RLIMITS
(JSON: core, fsize, nofile) are taken on before anything else runs.

A worker file is a module with functions marked `@operation`; each takes a `Request` and returns a JSON value. It is
imported on its first request (one without an operation does no more than that), as a member of a package of its own, so
that `from . import sibling` works, as does `from ..library import module`, and the host-side `__init__.py` beside it is
never run.
"""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import socket
import sys
import threading
import traceback
import types
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, TypeVar

_OPERATIONS = {}  # type: Dict[Tuple[str, str], Callable[[Request], Any]]  # by module and operation
_Operation = TypeVar("_Operation", bound="Callable[[Request], Any]")


def operation(function: _Operation) -> _Operation:
    """Mark a function of a worker module as callable by the host, under its own name (a trailing _ is dropped)."""
    _OPERATIONS[function.__module__, function.__name__.rstrip("_")] = function
    return function


class Refused(Exception):
    """The model, not the tool, is at fault. kind: "bad-model" (damaged, hostile) or "unsupported"."""

    def __init__(
        self,
        message: str,
        kind: str = "bad-model",
        hint: Optional[str] = None,
        node: Optional[str] = None,
        op: Optional[str] = None,
    ) -> None:
        super(Refused, self).__init__(message)
        self.event = {"kind": kind, "message": message, "hint": hint, "node": node, "op": op}


class Request(object):
    """What the host asks: `params` (dict), `inputs` and `resources` (name -> folder path), `out` (folder path)."""

    def __init__(self, line: Dict[str, Any], channel: "_Channel") -> None:
        self.id = line["id"]  # type: int
        self.operation = line["operation"]  # type: Optional[str]
        self.params = line.get("params", {})  # type: Dict[str, Any]
        self.inputs = line.get("inputs", {})  # type: Dict[str, str]
        self.resources = line.get("resources", {})  # type: Dict[str, str]
        self.out = line["out"]  # type: str
        self._channel = channel

    def progress(self, message: str, fraction: Optional[float] = None) -> None:
        """Say how far the work is: `fraction` from 0 to 1 where it is known."""
        self._channel.send({"id": self.id, "event": "progress", "message": message, "fraction": fraction})

    def note(self, message: str, level: str = "info", **where: Any) -> None:
        """Something the user should read in the report. level: info or warning."""
        self._channel.send({"id": self.id, "event": "note", "level": level, "message": message, "where": where})

    def hand_on(self, name: str, file: str) -> None:
        """The output has, under the same name, the very `file` of the input `name`: the host need not have it copied
        and hashed again. It must not be written to `out` as well."""
        self._channel.send({"id": self.id, "event": "handed-on", "input": name, "file": file})


class _Channel(object):
    def __init__(self, descriptor: int) -> None:
        # The family is given, because Python 3.6 does not look it up.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        self._socket.set_inheritable(False)
        self._reader = self._socket.makefile("r", encoding="utf-8")
        self._lock = threading.Lock()  # a tool may report progress from threads of its own

    def send(self, event: Dict[str, Any]) -> None:
        line = (json.dumps(event, allow_nan=False) + "\n").encode("utf-8")
        with self._lock:
            self._socket.sendall(line)

    def requests(self) -> Iterator[Tuple[Request, str]]:
        for line in self._reader:
            asked = json.loads(line)
            yield Request(asked, self), asked["worker"]


def _load(path: str) -> str:
    """Import the worker file as `dlpipe_house_<n>.<room>.<stem>`; the house is the folder that the room stands in.

    Returns the module's name. The packages, those of libraries beside the room too, are made here and not imported,
    so no `__init__.py` is run: these are the host's.
    """
    folder, filename = os.path.split(os.path.abspath(path))
    above, room = os.path.split(folder)
    house = "dlpipe_house_" + _plain(above)
    if house not in sys.modules:
        _make_package(house, above)
        for entry in os.listdir(above):
            if os.path.isdir(os.path.join(above, entry)):
                _make_package(house + "." + _plain(entry), os.path.join(above, entry))
    name = house + "." + _plain(room) + "." + os.path.splitext(filename)[0]
    importlib.import_module(name)
    return name


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def _make_package(name: str, folder: str) -> None:
    module = types.ModuleType(name)
    module.__path__ = [folder]  # what makes a module a package
    sys.modules[name] = module


def _run(request: Request, worker: str) -> Any:
    module = _load(worker)
    if request.operation is None:
        return None
    found = _OPERATIONS.get((module, request.operation))
    if found is None:
        raise LookupError("{} has no operation {}".format(os.path.basename(worker), request.operation))
    return found(request)


def _failure(error: BaseException) -> Dict[str, Any]:
    if isinstance(error, Refused):
        return dict(error.event)
    if isinstance(error, SystemExit):  # a converter written as a command: it must not take the worker with it
        return {"kind": "error", "message": "the tool ended itself: exit({!r})".format(error.code)}
    kind = "memory" if isinstance(error, MemoryError) else "error"
    text = "{}: {}".format(type(error).__name__, error) if str(error) else type(error).__name__
    return {"kind": kind, "message": text, "traceback": traceback.format_exc()}


def _limit(limits: Dict[str, int]) -> None:
    for name, most in limits.items():
        number = getattr(resource, "RLIMIT_" + name.upper())
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(number, (most, most))


def _flush() -> None:
    """Before the answer is sent, so that the chatter of a call is in its own log: Python's buffers and C's."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # replaced or closed by a tool
            stream.flush()
    ctypes.CDLL(None).fflush(None)


def _serve(request: Request, worker: str) -> Dict[str, Any]:
    """Run one operation; whatever a tool raises is reported as data, for the host to decide."""
    try:
        answer = {"event": "result", "value": _run(request, worker)}
        json.dumps(answer, allow_nan=False)  # what JSON cannot hold is the operation's fault, and said as such
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        answer = dict(_failure(error), event="failed")
        with contextlib.suppress(AttributeError, ValueError, OSError):
            sys.stderr.write(answer.get("traceback", ""))
    return dict(answer, id=request.id)


def main(descriptor: int, limits: Dict[str, int]) -> None:
    _limit(limits)
    # A worker that imports this module by name must get this very instance, not a second one beside __main__.
    sys.modules["dlpipe_worker"] = sys.modules["__main__"]
    channel = _Channel(descriptor)
    channel.send({"event": "ready", "python": sys.version.split()[0]})
    for request, worker in channel.requests():
        answer = _serve(request, worker)
        _flush()
        channel.send(answer)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
