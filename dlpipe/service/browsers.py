"""Sessions of browsers: an opaque secret in a cookie that stands for a token, until it expires or the token ends.

The token itself is never in the browser after signing in. Only the secret's hash is kept. What changes something wants
the session's *CSRF token* as well, which a page of ours can read and another site's cannot: it follows from the secret
and leads to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dlpipe.service.accounts import Caller, caller_of, token_hash
from dlpipe.service.database import Database
from dlpipe.service.tables import BrowserSession

SECONDS = 12 * 3600.0


def start(session: Session, caller: Caller, now: float) -> tuple[str, float]:
    """Whoever has shown to be `caller`, by a token or otherwise, is signed in: the cookie's secret, and when it expires
    (seconds since 1970). What has expired of others is forgotten."""
    session.execute(delete(BrowserSession).where(BrowserSession.expires <= now))
    secret = secrets.token_urlsafe(32)
    expires = min(now + SECONDS, caller.expires if caller.expires is not None else now + SECONDS)
    session.add(BrowserSession(token_id=caller.token, hash=token_hash(secret), created=now, expires=expires))
    session.flush()
    return secret, expires


def caller(session: Session, secret: str, now: float) -> Caller | None:
    """None where the session is unknown or has ended, or its token has."""
    row = session.scalars(select(BrowserSession).where(BrowserSession.hash == token_hash(secret))).first()
    return caller_of(row.token, now) if row is not None and row.expires > now else None


def look_up(database: Database, secret: str) -> Caller | None:
    """The same in a transaction of its own."""
    with database.read() as session:
        return caller(session, secret, database.now(session))


def end(session: Session, secret: str) -> None:
    session.execute(delete(BrowserSession).where(BrowserSession.hash == token_hash(secret)))


def csrf(secret: str) -> str:
    return hmac.new(secret.encode(errors="surrogateescape"), b"csrf", hashlib.sha256).hexdigest()


def is_csrf(secret: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(csrf(secret).encode(), given.encode(errors="surrogateescape"))
