"""Who looks at a page, and in which language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from dlpipe.report.languages import Language
from dlpipe.service import browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.api import cookies
from dlpipe.service.api.access import check_page
from dlpipe.service.api.problems import Problem
from dlpipe.service.api.state import Service, identified
from dlpipe.service.web.languages import chosen


class SignIn(Exception):
    """The page is for people who have signed in. `to`: where that is done, and how to come back."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf`: what the page's requests show when they change something."""

    caller: Caller
    csrf: str
    t: Language

    def may(self, scope: str) -> bool:
        return scope in self.caller.scopes

    def need(self, scope: str) -> None:
        """Raises Problem."""
        if not self.may(scope):
            raise Problem(403, f"your token has not the scope {scope}")


def _visitor(request: Request, service: Service) -> Visitor:
    secret = cookies.secret(request)
    if secret is not None:
        caller = browsers.look_up(service.database, secret)
        if caller is not None:
            caller = identified(request, caller, "session")
            check_page(request, secret, request.headers.get(cookies.CSRF_HEADER))
            found = Visitor(caller, browsers.csrf(secret), chosen(request))
            found.need("read")
            return found
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    raise SignIn(f"/login?next={quote(place, safe='')}")


Signed = Annotated[Visitor, Depends(_visitor)]


def inner(place: str | None) -> str:
    """A place on this server, whatever was asked for."""
    if place and place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable():
        return place
    return "/"
