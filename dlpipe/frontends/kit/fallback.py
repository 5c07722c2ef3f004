"""The operations of executing.py where another implementation runs originals, and dlpipe's own what that one cannot.

`serve(__name__, independent, own)` gives them to a worker file, and `interpreted`: the reference by dlpipe's own alone,
so that the two can be held against each other.
"""

from collections.abc import Callable
from typing import Any

from dlpipe_worker import Refused, Request

from . import executing
from .executing import Open

Answer = dict[str, Any]


def serve(worker: str, independent: Open, own: Open) -> None:
    """worker: the `__name__` of the file that the host calls."""

    def reference_(request: Request) -> Answer:
        return reference(request, independent, own)

    def layers_(request: Request) -> Answer:
        return layers(request, independent, own)

    def time_(request: Request) -> Answer:
        return time(request, independent, own)

    def interpreted(request: Request) -> Answer:
        return executing.reference(request, own, kind="own")

    executing.enter(worker, reference_, layers_, time_, interpreted)


def reference(request: Request, independent: Open, own: Open) -> Answer:
    """executing.reference, of the kind that ran. Why it is dlpipe's own is told in a note."""

    def ours(refused: Refused) -> Answer:
        request.note("the reference is dlpipe's own: " + refused.event["message"])
        return executing.reference(request, own, kind="own")

    return _unless_unsupported(lambda: executing.reference(request, independent, kind="independent"), ours)


def layers(request: Request, independent: Open, own: Open) -> Answer:
    """executing.layers."""
    return _unless_unsupported(lambda: executing.layers(request, independent), lambda _: executing.layers(request, own))


def time(request: Request, independent: Open, own: Open) -> Answer:
    """executing.time."""
    return _unless_unsupported(lambda: executing.time(request, independent), lambda _: executing.time(request, own))


def _unless_unsupported(first: Callable[[], Answer], instead: Callable[[Refused], Answer]) -> Answer:
    try:
        return first()
    except Refused as refused:
        if refused.event["kind"] != "unsupported":
            raise
        return instead(refused)
