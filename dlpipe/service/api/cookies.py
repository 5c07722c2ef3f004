"""The cookie of a browser's session, and whether a request comes from one of our own pages."""

from __future__ import annotations

from fastapi import Request, Response

CSRF_HEADER = "X-CSRF-Token"
NAMES = ("__Host-dlpipe", "dlpipe")  # over TLS, and without
_BEGUN = ("__Host-dlpipe-begun", "dlpipe-begun")
_BEGUN_SECONDS = 600
_SAFE = ("GET", "HEAD")


def secret(request: Request) -> str | None:
    return request.cookies.get(_name(request)) or None


def set_secret(request: Request, response: Response, value: str, seconds: float) -> None:
    """Scripts cannot read it, and no request that another site causes carries it."""
    response.set_cookie(
        _name(request),
        value,
        max_age=int(seconds),
        path="/",
        secure=_encrypted(request),
        httponly=True,
        samesite="strict",
    )


def forget_secret(request: Request, response: Response) -> None:
    response.delete_cookie(_name(request), path="/", secure=_encrypted(request), httponly=True, samesite="strict")


def begun(request: Request) -> str | None:
    """What a sign-in at a provider's began with."""
    return request.cookies.get(_BEGUN[not _encrypted(request)]) or None


def set_begun(request: Request, response: Response, value: str) -> None:
    """Unlike the session's it comes along when another site, the provider's, leads back here."""
    response.set_cookie(
        _BEGUN[not _encrypted(request)],
        value,
        max_age=_BEGUN_SECONDS,
        path="/",
        secure=_encrypted(request),
        httponly=True,
        samesite="lax",
    )


def forget_begun(request: Request, response: Response) -> None:
    name = _BEGUN[not _encrypted(request)]
    response.delete_cookie(name, path="/", secure=_encrypted(request), httponly=True, samesite="lax")


def same_origin(request: Request) -> bool:
    """Whether the browser says that one of our pages caused the request; for one that only reads, also that the user
    did (the address bar), or that it says nothing. SameSite does not tell ports or sibling hosts apart; this does."""
    safe = request.method in _SAFE
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin" or (safe and site == "none")
    origin = request.headers.get("origin")
    if origin is not None:
        return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
    return safe


def changes(request: Request) -> bool:
    return request.method not in _SAFE


def _encrypted(request: Request) -> bool:
    return request.url.scheme == "https"


def _name(request: Request) -> str:
    """With `__Host-` no sibling host can plant one; browsers take that over TLS alone."""
    return NAMES[0] if _encrypted(request) else NAMES[1]
