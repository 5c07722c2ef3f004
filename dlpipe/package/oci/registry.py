"""What push and pull need of a registry's HTTP interface (OCI distribution 1.1), with the standard library.

oras, the Python library for it, reads a whole file into memory to upload it, does not check what it downloads, and does
not tell an upload that failed; it brings ten packages.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, BinaryIO
from urllib.parse import urlencode, urljoin, urlsplit

from dlpipe.errors import BadModel, UserError
from dlpipe.package.oci import login
from dlpipe.package.oci.reference import Reference

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_BLOCK = 1 << 20
_LARGEST_MANIFEST = 4 << 20  # what registries take at most
_SECONDS = 120  # without any answer
_AGAIN = "look at the name and the network; what a push has uploaded stays, and the same command goes on from there"


class Registry:
    """One repository of a registry. Methods raise UserError that says what to do, BadModel where content is not what
    its digest says."""

    def __init__(self, reference: Reference, *, plain_http: bool = False) -> None:
        self._host = reference.host
        self._scheme = "http" if plain_http or reference.is_loopback else "https"
        self._root = f"{self._scheme}://{reference.host}/v2/{reference.repository}"
        self._repository = reference.repository
        self._authorization: str | None = None

    def upload(self, digest: str, size: int, content: BinaryIO) -> bool:
        """Of a blob that is `size` bytes long. Whether it had to be sent."""
        if self._call("HEAD", f"{self._root}/blobs/{digest}", missing_ok=True) is not None:
            return False
        _, headers = self._called("POST", f"{self._root}/blobs/uploads/", data=b"")
        place = urljoin(self._root, headers["Location"])
        query = urlencode({"digest": digest})
        kind = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._called("PUT", f"{place}{'&' if urlsplit(place).query else '?'}{query}", content, kind)
        return True

    def upload_manifest(self, name: str, text: bytes) -> None:
        """name: a tag, or its digest."""
        self._called("PUT", f"{self._root}/manifests/{name}", text, {"Content-Type": MANIFEST})

    def manifest(self, name: str) -> tuple[bytes, str]:
        """By tag or digest: its text, and its digest."""
        text, _ = self._called("GET", f"{self._root}/manifests/{name}", headers={"Accept": MANIFEST})
        digest = "sha256:" + hashlib.sha256(text).hexdigest()
        if name.startswith("sha256:") and name != digest:
            raise BadModel(f"{self._host} sent another manifest than {name}", hint="do not trust this registry")
        return text, digest

    def download(self, digest: str, size: int, target: BinaryIO) -> None:
        """A blob into an open file; complete and as its digest says when this returns."""
        total, got = hashlib.sha256(), 0
        with self._open("GET", f"{self._root}/blobs/{digest}") as answer:
            while got <= size and (block := self._read(answer, min(_BLOCK, size - got + 1))):
                total.update(block)
                got += len(block)
                target.write(block)
        if got != size or f"sha256:{total.hexdigest()}" != digest:
            raise BadModel(f"{self._host} sent other content than {digest}", hint="pull again")

    def _called(
        self, method: str, url: str, data: bytes | BinaryIO | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        found = self._call(method, url, data, headers)
        assert found is not None
        return found

    def _call(
        self,
        method: str,
        url: str,
        data: bytes | BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing_ok: bool = False,
    ) -> tuple[bytes, Mapping[str, str]] | None:
        """Body and headers of the answer; None where nothing is there and that may be."""
        try:
            with self._open(method, url, data, headers) as answer:
                text = self._read(answer, _LARGEST_MANIFEST + 1)
                if len(text) > _LARGEST_MANIFEST:
                    raise BadModel(f"{self._host} sent a manifest of more than {_LARGEST_MANIFEST} bytes")
                return text, answer.headers
        except _Missing:
            if missing_ok:
                return None
            hint = "check the name and the tag; some registries say so to those who have not logged in, too"
            raise UserError(f"{self._host} has no such thing: {urlsplit(url).path}", hint=hint) from None

    def _open(
        self, method: str, url: str, data: bytes | BinaryIO | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The answer, open. Logs in when the registry asks for it, once; a body is then sent from its beginning."""
        try:
            return self._request(method, url, data, headers)
        except urllib.error.HTTPError as error:
            if error.code != 401 or not self._log_in(error.headers.get("WWW-Authenticate", "")):
                raise self._refusal(error) from None
        if data is not None and not isinstance(data, bytes):
            data.seek(0)
        try:
            return self._request(method, url, data, headers)
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None

    def _request(self, method: str, url: str, data: bytes | BinaryIO | None, headers: Mapping[str, str] | None) -> Any:
        """Raises HTTPError where the registry answers with one."""
        if urlsplit(url).scheme not in ("https", self._scheme):
            raise UserError(f"{self._host} wants to go on without encryption", hint="it is set up wrongly")
        request = urllib.request.Request(url, data, {**(headers or {})}, method=method)  # noqa: S310 - checked above
        if self._authorization is not None and urlsplit(url).netloc == self._host:
            # Not sent on where the registry redirects to: storage of others.
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            return urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310 - checked above
        except urllib.error.HTTPError:
            raise
        except (HTTPException, OSError) as error:
            raise self._unreachable(error) from error

    def _read(self, answer: Any, most: int) -> bytes:
        try:
            return bytes(answer.read(most))
        except (HTTPException, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UserError:
        return UserError(f"{self._host} cannot be reached: {getattr(error, 'reason', None) or error}", hint=_AGAIN)

    def _log_in(self, challenge: str) -> bool:
        """As the registry asks: with name and password, or with a token that another service gives. Whether there is
        something new to try."""
        scheme, _, rest = challenge.partition(" ")
        known = login.basic(self._host)
        if scheme.lower() == "basic" and known is not None:
            self._authorization = f"Basic {known}"
            return True
        asked = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or urlsplit(asked.get("realm", "")).scheme not in ("https", self._scheme):
            return False
        query = {"service": asked.get("service", ""), "scope": f"repository:{self._repository}:pull,push"}
        if "scope" in asked:
            query["scope"] = asked["scope"]
        request = urllib.request.Request(f"{asked['realm']}?{urlencode(query)}")  # noqa: S310 - checked above
        if known is not None:
            request.add_unredirected_header("Authorization", f"Basic {known}")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - checked above
                said = json.loads(answer.read(_LARGEST_MANIFEST))
            self._authorization = f"Bearer {said.get('token') or said['access_token']}"
        except (HTTPException, OSError, ValueError, KeyError, AttributeError):
            return False
        return True

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        if error.code == 404:
            return _Missing()
        said = _said(error)
        if error.code in (401, 403):
            hint = f"log in: `docker login {self._host}` or `podman login {self._host}`"
            return UserError(f"{self._host} does not let you: {said}", hint=hint)
        return UserError(f"{self._host} refused: {error.code} {said}", hint=_AGAIN)


class _Missing(Exception):
    pass


def _said(error: urllib.error.HTTPError) -> str:
    """The registry's own words."""
    try:
        told = json.loads(error.read(1 << 16))["errors"]
        return "; ".join(f"{each.get('code')}: {each.get('message')}" for each in told)
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return str(error.reason)
