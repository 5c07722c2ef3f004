"""The two ways in: a browser that comes back from the provider with a code, and a program that shows an ID token.

A sign-in begins with a secret in a cookie of the browser's. What the provider sees follows from it and leads to
nothing: the state, which it hands back; the nonce, which it signs; the challenge, whose verifier goes with the code
(PKCE). So nothing is kept of who only began, and a code of another browser's, or of another sign-in, opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from dlpipe.service import browsers
from dlpipe.service.accounts import Caller
from dlpipe.service.database import Database
from dlpipe.service.oidc import rules as of_rules
from dlpipe.service.oidc.fetching import CodeRefused
from dlpipe.service.oidc.identities import NotLetIn, let_in
from dlpipe.service.oidc.provider import Provider
from dlpipe.service.oidc.rules import Grant, Rules
from dlpipe.service.oidc.verification import TokenRefused, claims, part

CALLBACK = "/login/oidc/callback"
_LONGEST_SECONDS = 24 * 3600.0  # of a program's ID token


@dataclass(frozen=True, slots=True)
class Main:
    """By which people sign in. `client`: what the provider calls us; `secret` None: a public client. `public`: our
    address as browsers know it."""

    issuer: str
    client: str
    secret: str | None = field(repr=False)
    public: str

    @property
    def redirect(self) -> str:
        return self.public.rstrip("/") + CALLBACK


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a provider vouches for, and what the rules make of it."""

    issuer: str
    claims: Any
    grant: Grant

    def let_in(self, session: Session, now: float, until: float) -> Caller:
        """Raises NotLetIn."""
        return let_in(session, now, self.issuer, self.claims, self.grant, until)


class Oidc:
    def __init__(self, rules: Rules, main: Main | None) -> None:
        self._rules = rules
        self.main = main
        self._audiences = {each.url: each.audience for each in rules.issuer}
        issuers = {*self._audiences, *([main.issuer] if main is not None else [])}
        self._providers = {issuer: Provider(issuer) for issuer in issuers}

    @property
    def issuers(self) -> list[str]:
        return sorted(self._providers)

    def begin(self, secret: str) -> str:
        """Where the browser that has `secret` is sent. Raises ProviderTrouble."""
        main = self._main()
        challenge = _base64(hashlib.sha256(_derived(secret, "verifier").encode()).digest())
        return self._providers[main.issuer].sign_in_url(
            response_type="code",
            client_id=main.client,
            redirect_uri=main.redirect,
            scope=self._rules.scope,
            state=_derived(secret, "state"),
            nonce=_derived(secret, "nonce"),
            code_challenge=challenge,
            code_challenge_method="S256",
        )

    def is_state(self, secret: str, given: str) -> bool:
        """Whether this browser began what comes back."""
        return hmac.compare_digest(_derived(secret, "state").encode(), given.encode(errors="surrogateescape"))

    def finish(self, secret: str, code: str) -> Vouched:
        """Raises TokenRefused, NotLetIn, ProviderTrouble."""
        main = self._main()
        provider, verifier = self._providers[main.issuer], _derived(secret, "verifier")
        try:
            token = provider.id_token(
                code, client=main.client, secret=main.secret, redirect=main.redirect, verifier=verifier
            )
        except CodeRefused as error:
            raise TokenRefused(str(error)) from None
        return self._vouched(claims(token, provider, main.client, nonce=_derived(secret, "nonce")), main.issuer)

    def bearer(self, database: Database, token: str) -> Caller | None:
        """Whoever shows an ID token that was made for programs; None where it opens nothing. Raises ProviderTrouble."""
        try:
            issuer = part(token, 1).get("iss")  # believed once it is one of the operator's, and has signed
            if not isinstance(issuer, str) or issuer not in self._audiences:
                return None
            found = claims(token, self._providers[issuer], self._audiences[issuer], nonce=None)
            vouched = self._vouched(found, issuer)
            with database.write(durable=False) as session:
                database.one_at_a_time(session)
                now = database.now(session)
                return vouched.let_in(session, now, float(min(found["exp"], now + _LONGEST_SECONDS)))
        except (TokenRefused, NotLetIn):
            return None

    def _vouched(self, found: Any, issuer: str) -> Vouched:
        given = of_rules.grant(self._rules, self.main.issuer if self.main is not None else None, issuer, found)
        if given is None:
            raise NotLetIn("no rule fits")
        return Vouched(issuer, found, given)

    def _main(self) -> Main:
        assert self.main is not None
        return self.main


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def until(now: float) -> float:
    """Of a browser's sign-in."""
    return now + browsers.SECONDS


def _derived(secret: str, what: str) -> str:
    return _base64(hmac.new(secret.encode(errors="surrogateescape"), b"oidc " + what.encode(), hashlib.sha256).digest())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
