"""What the operator says at the start."""

from __future__ import annotations

from pathlib import Path

from dlpipe.errors import UserError
from dlpipe.service.oidc.fetching import is_address
from dlpipe.service.oidc.rules import check_issuer, read_rules
from dlpipe.service.oidc.signing import Main, Oidc


def oidc_of(
    rules: Path | None,
    *,
    issuer: str | None,
    client: str | None,
    secret_file: Path | None,
    secret: str | None,
    public: str | None,
) -> Oidc | None:
    """None where no provider is wanted. Without an issuer, only programs show ID tokens. Raises UserError."""
    if rules is None:
        if issuer is not None or client is not None:
            raise UserError("--oidc-issuer goes with --oidc-rules: who is named nowhere gets in nowhere")
        return None
    if issuer is None:
        return Oidc(read_rules(rules, None, None), None)
    check_issuer(issuer)
    if client is None or public is None:
        raise UserError("--oidc-issuer goes with --oidc-client-id and --public-url")
    if not is_address(public, loopback=True):
        raise UserError(f"--public-url {public!r} is no address", hint="https://..., as browsers know this service")
    if secret_file is not None:
        try:
            secret = secret_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise UserError(f"--oidc-secret-file {secret_file} cannot be read: {error}") from error
    return Oidc(read_rules(rules, issuer, client), Main(issuer, client, secret or None, public))
