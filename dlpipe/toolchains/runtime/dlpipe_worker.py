"""The runtime that every worker shares: standard library only, clean down to Python 3.6.

Started by the host as `python dlpipe_worker.py FD RLIMITS`. FD is one end of a Unix socket pair: the host writes one
request per line (JSON) and reads events, one per line. A request names the worker file, the operation, its parameters,
the input folders, the output folder and the resources. Standard output and error belong to the tool's chatter. RLIMITS
(JSON: core, fsize, nofile) are taken on before anything else runs.

A worker file is a module with functions marked `@operation`; each takes a `Request` and returns a JSON value. It is
imported on its first request, as a member of a package of its own, so that `from . import sibling` works and the
host-side `__init__.py` beside it is never run.
"""

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

_OPERATIONS = {}  # (module name, operation) -> function


def operation(function):
    """Mark a function of a worker module as callable by the host, under its own name (a trailing _ is dropped)."""
    _OPERATIONS[function.__module__, function.__name__.rstrip("_")] = function
    return function


class Refused(Exception):
    """The model, not the tool, is at fault. kind: "bad-model" (damaged, hostile) or "unsupported"."""

    def __init__(self, message, kind="bad-model", hint=None, node=None, op=None):
        super(Refused, self).__init__(message)
        self.event = {"kind": kind, "message": message, "hint": hint, "node": node, "op": op}


class Request(object):
    """What the host asks: `params` (dict), `inputs` and `resources` (name -> folder path), `out` (folder path)."""

    def __init__(self, line, channel):
        self.id = line["id"]
        self.operation = line["operation"]
        self.params = line.get("params", {})
        self.inputs = line.get("inputs", {})
        self.resources = line.get("resources", {})
        self.out = line.get("out")
        self._channel = channel

    def progress(self, message, fraction=None):
        """Say how far the work is: `fraction` from 0 to 1 where it is known."""
        self._channel.send({"id": self.id, "event": "progress", "message": message, "fraction": fraction})

    def note(self, message, level="info", **where):
        """Something the user should read in the report. level: info or warning."""
        self._channel.send({"id": self.id, "event": "note", "level": level, "message": message, "where": where})


class _Channel(object):
    def __init__(self, descriptor):
        # The family is given, because Python 3.6 does not look it up.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        self._socket.set_inheritable(False)
        self._lock = threading.Lock()  # a tool may report progress from its own threads
        self._reader = self._socket.makefile("r", encoding="utf-8")

    def send(self, event):
        line = (json.dumps(event, allow_nan=False) + "\n").encode("utf-8")
        with self._lock:
            self._socket.sendall(line)

    def requests(self):
        for line in self._reader:
            asked = json.loads(line)
            yield Request(asked, self), asked["worker"]


def _load(path):
    """Import the worker file as `dlpipe_room_<n>.<stem>`, with its folder as that package's path. Returns its name."""
    folder, filename = os.path.split(os.path.abspath(path))
    package = "dlpipe_room_" + "".join(c if c.isalnum() else "_" for c in folder)
    if package not in sys.modules:
        module = types.ModuleType(package)
        module.__path__ = [folder]
        sys.modules[package] = module
    name = package + "." + os.path.splitext(filename)[0]
    importlib.import_module(name)
    return name


def _find(worker, name):
    module = _load(worker)
    try:
        return _OPERATIONS[module, name]
    except KeyError:
        raise LookupError("{} has no operation {}".format(os.path.basename(worker), name))


def _failure(error):
    if isinstance(error, Refused):
        return error.event
    if isinstance(error, SystemExit):  # a converter written as a command: it must not take the worker with it
        return {"kind": "error", "message": "the tool ended itself: exit({!r})".format(error.code)}
    kind = "memory" if isinstance(error, MemoryError) else "error"
    text = "{}: {}".format(type(error).__name__, error) if str(error) else type(error).__name__
    return {"kind": kind, "message": text, "traceback": traceback.format_exc()}


def _limit(limits):
    for name, most in limits.items():
        number = getattr(resource, "RLIMIT_" + name.upper())
        hard = resource.getrlimit(number)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (most, most))


def _flush():
    """Before the answer is sent, so that the chatter of one call is in its own log: Python's buffers and C's."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):  # replaced or closed by a tool
            pass
    ctypes.CDLL(None).fflush(None)


def main(descriptor, limits):
    _limit(limits)
    # A worker that imports this module by name must get this very instance, not a second one beside __main__.
    sys.modules["dlpipe_worker"] = sys.modules["__main__"]
    channel = _Channel(descriptor)
    channel.send({"event": "ready", "python": sys.version.split()[0]})
    for request, worker in channel.requests():
        try:
            answer = {"event": "result", "value": _find(worker, request.operation)(request)}
            json.dumps(answer, allow_nan=False)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a tool raises is reported as data; the host decides
            answer = dict(_failure(error), event="failed")
            sys.stderr.write(answer.get("traceback", ""))
        _flush()
        channel.send(dict(answer, id=request.id))


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
