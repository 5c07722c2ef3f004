"""Whether an ID token is one: signed by its issuer, for us, now."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from dlpipe.service.oidc.provider import Provider

# Signatures that the one who checks them could not have made: neither "none" nor HS256, whose key we should share.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
MAX_LENGTH = 16 << 10
LEEWAY_SECONDS = 60
_SIGNATURES = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)  # what is not known is passed over
_MAX_SUBJECT = 255


class TokenRefused(Exception):
    """Its text says why, for the operator; nothing of the token is in it."""


def claims(token: str, provider: Provider, audience: str, *, nonce: str | None) -> Mapping[str, Any]:
    """nonce: that the token has to name; None: a token that no sign-in began. Raises TokenRefused, ProviderTrouble."""
    if len(token) > MAX_LENGTH:
        raise TokenRefused("it is too long")
    header = part(token, 0)
    kid = header.get("kid")
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefused("it is signed in a way that is not taken")
    if kid is not None and not isinstance(kid, str):
        raise TokenRefused("its key has no name")
    keys = provider.keys(kid)
    rules = JWTClaimsRegistry(
        int(time.time()),
        LEEWAY_SECONDS,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": audience},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        found = jwt.decode(token, keys, registry=_SIGNATURES).claims
        rules.validate(found)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused(f"{type(error).__name__}: {_short(error)}") from None
    if len(found["sub"]) > _MAX_SUBJECT:
        raise TokenRefused("its subject is too long")
    if isinstance(found["aud"], list) and len(found["aud"]) > 1 and found.get("azp") != audience:
        raise TokenRefused("it is for others too, and was not asked for by us")
    if nonce is not None and not _equal(found.get("nonce"), nonce):
        raise TokenRefused("it is of another sign-in")
    return found


def part(token: str, number: int) -> dict[str, Any]:
    """Of what it says before anything was checked: 0 the header, 1 the claims. Raises TokenRefused."""
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError
        found = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenRefused("it is no JWT")
    return found


def _equal(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())


def _short(error: Exception) -> str:
    """Which claim, never its value."""
    return str(getattr(error, "claim", "") or getattr(error, "error", "") or "")[:100]
