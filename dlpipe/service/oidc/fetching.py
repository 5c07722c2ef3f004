"""What is asked of a provider: JSON, from addresses of the operator's or of a provider of his, nowhere else."""

from __future__ import annotations

import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from dlpipe.service.exchange import NoRedirects

_SECONDS = 5.0
_MAX_BYTES = 1 << 20


class ProviderTrouble(Exception):
    """The provider does not answer, or not as one does. Its text is for the operator, and names no secret."""


class CodeRefused(Exception):
    """The provider says that what was sent is wrong."""


def is_address(text: str, *, loopback: bool) -> bool:
    """`https://host...`; where `loopback`, plain http on this machine too. Without user, query or fragment."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.query or parts.fragment or not text.isascii() or " " in text:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback and is_loopback(host))


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def get(url: str) -> dict[str, Any]:
    """Raises ProviderTrouble."""
    return _ask(urllib.request.Request(url, headers={"Accept": "application/json"}))  # noqa: S310 - see is_address


def post(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    """Raises ProviderTrouble, CodeRefused."""
    body = urlencode(form).encode()
    kind = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    return _ask(urllib.request.Request(url, body, {**kind, **headers}, method="POST"))  # noqa: S310 - see is_address


def _ask(request: urllib.request.Request) -> dict[str, Any]:
    where = request.full_url
    try:
        with _OPENER.open(request, timeout=_SECONDS) as answer:
            text: bytes = answer.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        if request.data is not None and error.code in (400, 401, 403):
            raise CodeRefused(f"{where} answers {error.code}") from None
        raise ProviderTrouble(f"{where} answers {error.code}") from None
    except (OSError, ValueError, HTTPException) as error:
        raise ProviderTrouble(f"{where} does not answer: {error}") from error
    if len(text) > _MAX_BYTES:
        raise ProviderTrouble(f"{where} answers more than {_MAX_BYTES} bytes")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderTrouble(f"{where} answers no JSON object")
    return found


_OPENER = urllib.request.build_opener(NoRedirects)
