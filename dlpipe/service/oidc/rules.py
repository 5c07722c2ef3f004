"""Who may what: a file of the operator's.

    scope = "openid email groups"             # what a provider is asked to tell

    [[issuer]]                                # whose ID tokens, in place of a token of ours, programs may show
    url = "https://token.example.org"
    audience = "dlpipe"

    [[rule]]                                  # the first that fits counts
    issuer = "https://token.example.org"      # by default the one that people sign in by
    claims = { project = "speech/keywords", ref = ["main", "release"] }
    team = "speech"
    scopes = ["read", "submit"]

A claim fits where it is the value, or one of several; a claim that is a list, where one of its values does. Whoever
fits no rule is not let in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from dlpipe.errors import UserError
from dlpipe.service.accounts import Scope
from dlpipe.service.oidc.fetching import is_address

Value = Annotated[StrictBool | StrictInt | StrictStr, Field(union_mode="left_to_right")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Issuer(_Strict):
    url: str
    audience: str = Field(min_length=1, max_length=500)


class Rule(_Strict):
    issuer: str | None = None
    claims: dict[str, Value | list[Value]] = Field(min_length=1)
    team: str = Field(min_length=1, max_length=64)
    scopes: list[Scope] = Field(min_length=1)

    def fits(self, found: Mapping[str, Any]) -> bool:
        return all(name in found and _fits(found[name], wanted) for name, wanted in self.claims.items())


class Rules(_Strict):
    scope: str = Field(default="openid email profile", pattern=r"^openid( [!#-\[\]-~]+)*$", max_length=500)
    issuer: list[Issuer] = Field(default_factory=list)
    rule: list[Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Grant:
    team: str
    scopes: tuple[Scope, ...]


def read_rules(file: Path, issuer: str | None, client: str | None) -> Rules:
    """issuer, client: by which people sign in, and as what the provider knows us. Raises UserError."""
    try:
        found = Rules.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{file} is no TOML: {error}") from error
    for each in found.issuer:
        check_issuer(each.url)
        if each.url == issuer and each.audience == client:
            raise UserError(f"{file}: {client} is what people sign in to", hint="an audience of its own for programs")
    urls = [each.url for each in found.issuer]
    if len(set(urls)) < len(urls):
        raise UserError(f"{file}: an issuer is there twice")
    for rule in found.rule:
        if (rule.issuer or issuer) not in {*urls, issuer} - {None}:
            raise UserError(f"{file}: a rule is for {rule.issuer or 'no issuer'}", hint="--oidc-issuer, or [[issuer]]")
    return found


def check_issuer(url: str) -> None:
    """Raises UserError."""
    if not is_address(url, loopback=True):
        raise UserError(f"{url!r} is no issuer", hint="https://..., or http://127.0.0.1... on this machine")


def grant(rules: Rules, main: str | None, issuer: str, claims: Mapping[str, Any]) -> Grant | None:
    """What the first rule that fits gives; main: the issuer of rules that name none."""
    for rule in rules.rule:
        if (rule.issuer or main) == issuer and rule.fits(claims):
            return Grant(rule.team, tuple(rule.scopes))
    return None


def _fits(found: object, wanted: Value | list[Value]) -> bool:
    """`True` is not 1 here."""
    these = found if isinstance(found, list) else [found]
    those = wanted if isinstance(wanted, list) else [wanted]
    return any(type(one) is type(other) and one == other for one in these for other in those)
