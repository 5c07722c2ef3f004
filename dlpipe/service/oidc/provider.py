"""One provider: where it is asked, and with which keys it signs."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from dlpipe.service.oidc import fetching
from dlpipe.service.oidc.fetching import ProviderTrouble

FRESH_SECONDS = 3600.0  # after which keys are looked at anew
AGAIN_SECONDS = 30.0  # between two looks, for a key that is not there or a provider that does not answer
_KINDS = ("RSA", "EC")  # never "oct": a secret that everybody may read


class Provider:
    """`issuer`: as its tokens name it. Asked when first needed, and then now and then; by one thread at a time. clock:
    seconds, for tests."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys = KeySet([])
        self._looked: float | None = None
        self._trouble: ProviderTrouble | None = None

    def sign_in_url(self, **query: str) -> str:
        """Where a browser is sent. Raises ProviderTrouble."""
        endpoint = self._known()["authorization_endpoint"]
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def id_token(self, code: str, *, client: str, secret: str | None, redirect: str, verifier: str) -> str:
        """For a code that a browser brought. Raises ProviderTrouble, CodeRefused."""
        metadata = self._known()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        form["client_id"] = client
        headers: dict[str, str] = {}
        if secret is not None:
            ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in ways or "client_secret_post" not in ways:
                pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()  # RFC 6749, 2.3.1
                headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            else:
                form["client_secret"] = secret
        found = fetching.post(metadata["token_endpoint"], form, headers).get("id_token")
        if not isinstance(found, str):
            raise ProviderTrouble(f"{metadata['token_endpoint']} gives no ID token")
        return found

    def keys(self, kid: str | None) -> KeySet:
        """Those that it signs with; asked for anew where none is called `kid`, or it was long ago. Raises
        ProviderTrouble."""
        with self._lock:
            age = self._clock() - self._looked if self._looked is not None else float("inf")
            is_there = kid is None or any(key.kid == kid for key in self._keys)
            if age > FRESH_SECONDS or (not is_there and age > AGAIN_SECONDS) or (self._trouble and age > AGAIN_SECONDS):
                self._look()
            if self._trouble is not None and not self._keys:
                raise self._trouble
            return self._keys

    def _known(self) -> dict[str, Any]:
        self.keys(None)
        assert self._metadata is not None
        return self._metadata

    def _look(self) -> None:
        """Where it does not answer now, what it said before holds on."""
        self._looked, self._trouble = self._clock(), None
        try:
            metadata = _checked(
                fetching.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"), self.issuer
            )
            keys = _keys(fetching.get(metadata["jwks_uri"]))
        except ProviderTrouble as trouble:
            self._trouble = trouble
        else:
            self._metadata, self._keys = metadata, keys


def _checked(metadata: dict[str, Any], issuer: str) -> dict[str, Any]:
    """Raises ProviderTrouble. Only a provider on this machine may send us to this machine without TLS."""
    if metadata.get("issuer") != issuer:
        raise ProviderTrouble(f"what {issuer} says of itself names another issuer")
    loopback = urlsplit(issuer).scheme == "http"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        found = metadata.get(name)
        if name != "jwks_uri" and found is None and "jwks_uri" in metadata:
            continue  # one that signs tokens of CI jobs alone has no such endpoints
        if not isinstance(found, str) or not fetching.is_address(found.partition("?")[0], loopback=loopback):
            raise ProviderTrouble(f"the {name} of {issuer} is no https address")
    return metadata


def _keys(found: dict[str, Any]) -> KeySet:
    keys: list[Key] = []
    listed = found.get("keys")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("kty") in _KINDS and each.get("use", "sig") == "sig":
            try:
                keys.append(JWKRegistry.import_key(each))
            except (JoseError, ValueError, TypeError, KeyError):  # of a kind that comes later
                continue
    if not keys:
        raise ProviderTrouble("the provider has no key to check signatures with")
    return KeySet(keys)
