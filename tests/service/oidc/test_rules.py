"""What an operator may say, and what is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.service.oidc.settings import oidc_of

RULE = '[[rule]]\nclaims = { groups = "x" }\nteam = "t"\nscopes = ["read"]\n'
ISSUER = '[[issuer]]\nurl = "https://ci.example"\naudience = "a"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "rule = []",
        '[[rule]]\nclaims = {}\nteam = "t"\nscopes = ["read"]\n',
        RULE.replace("read", "root"),
        RULE.replace('["read"]', "[]"),
        RULE.replace('"x"', "1.5"),
        RULE + 'more = "x"\n',
        RULE + 'issuer = "https://of-nobody.example"\n',
        'scope = "email"\n' + RULE,
        RULE + ISSUER.replace("https", "http"),
        RULE + ISSUER + ISSUER,
        RULE + ISSUER.replace("ci.example", "id.example").replace('"a"', '"client"'),
    ],
    ids=repr,
)
def test_rules_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(UserError):
        start(tmp_path / "rules.toml")


def start(rules: Path | None, **more: object) -> object:
    given = {"issuer": "https://id.example", "client": "client", "public": "https://us.example", **more}
    given = {"secret_file": None, "secret": None, **given}
    return oidc_of(rules, **given)


def test_what_goes_together(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE + ISSUER)
    found = start(rules, secret="of-the-client")
    assert "of-the-client" not in repr(found.main)
    assert found.issuers == ["https://ci.example", "https://id.example"]
    assert oidc_of(None, issuer=None, client=None, secret_file=None, secret="x", public=None) is None
    for wrong in (
        {"client": None},
        {"public": None},
        {"public": "ftp://x"},
        {"issuer": "http://id.example"},
        {"secret_file": tmp_path / "none"},
    ):
        with pytest.raises(UserError):
            start(rules, **wrong)
    with pytest.raises(UserError):
        start(None)
    with pytest.raises(UserError):
        start(tmp_path / "none.toml")
    rules.write_text(RULE + ISSUER)
    with pytest.raises(UserError, match="no issuer"):
        start(rules, issuer=None)
    rules.write_text(RULE + 'issuer = "https://ci.example"\n' + ISSUER)
    assert start(rules, issuer=None).main is None
