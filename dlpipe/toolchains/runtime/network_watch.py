"""Tells the host which addresses a tool tries to reach. Every interpreter of a worker imports it, as `sitecustomize`.

In the jail such an attempt fails by itself, but tools swallow the errors of their telemetry: nothing of it would show.
Standard library only, and clean down to Python 3.6 (where it does nothing: audit hooks, PEP 578, came with 3.8).
"""

import os
import sys

TYPE_CHECKING = False  # importing typing (or socket, below) would slow down the start of every interpreter
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple

_ATTEMPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "attempts")
_EVENTS = frozenset(["socket.getaddrinfo", "socket.gethostbyname", "socket.connect"])
_HERE = ("", "localhost", "::1", "::", "0.0.0.0")
_SOCK_DGRAM = 2  # socket.SOCK_DGRAM


def _watch(event: str, args: "Tuple[Any, ...]") -> None:
    """An audit hook: it is called often, so it leaves at once where nothing is to do."""
    if event in _EVENTS:
        try:
            destination = _destination(event, args)
            if destination:
                _report(destination)
        except Exception:  # what a tool does must not depend on whether it can be watched
            pass


def _destination(event: str, args: "Tuple[Any, ...]") -> "Optional[str]":
    """`host:port`, or None where the attempt stays on this machine."""
    port = None
    if event == "socket.connect":
        # Connecting a datagram socket sends nothing: it is how programs learn their own address.
        if not isinstance(args[1], tuple) or args[0].type == _SOCK_DGRAM:
            return None
        host, port = args[1][:2]
    elif event == "socket.getaddrinfo":
        host, port = args[:2]
    else:
        host = args[0]
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if host is None or host in _HERE or host.startswith("127.") or host == os.uname().nodename:
        return None
    return "{}:{}".format(host, port) if port else str(host)


def _report(destination: str) -> None:
    line = "reach " + " ".join(destination.split())[:400] + "\n"
    # A full pipe loses the line rather than hold the tool up: that many attempts have been told already.
    pipe = os.open(_ATTEMPTS, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(pipe, line.encode("utf-8", "replace"))
    finally:
        os.close(pipe)


if hasattr(sys, "addaudithook"):
    sys.addaudithook(_watch)
