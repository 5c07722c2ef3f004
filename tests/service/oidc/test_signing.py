"""Signing in by a provider: whom it vouches for gets what the rules say; whatever is wrong lets nobody in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.service.running import Answer, Service
from tests.service.web.test_session import look

from .conftest import PUBLIC, Vouched
from .provider import CLIENT, Claims, Provider, hmac_by, new_keys, unsigned

ALICE = {"sub": "alice", "email": "alice@example.org", "email_verified": True, "groups": ["all", "speech"]}
CHIEF = {"sub": "chief", "email": "chief@example.org", "email_verified": True, "groups": ["heads"]}


def begin(service: Service, next_: str = "/new") -> tuple[str, str]:
    """Where the browser is sent, and its cookie."""
    answer = service.ask("GET", f"//login/oidc?next={next_}", token=None)
    assert answer.status == 303, answer.body
    return answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]


_addresses = (f"198.51.100.{number}" for number in count(1))


def come_back(service: Service, address: str, cookie: str, origin: str | None = None) -> Answer:
    """origin: the browser's address; None: one that nobody had."""
    assert address.startswith(f"{PUBLIC}/login/oidc/callback?")
    parts = urlsplit(address)
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "cross-site", "X-Forwarded-For": origin or next(_addresses)}
    return service.ask("GET", f"/{parts.path}?{parts.query}", token=None, headers=headers)


def sign_in(vouched: Vouched) -> Answer:
    to, cookie = begin(vouched.service)
    return come_back(vouched.service, vouched.provider.authorize(to), cookie)


def session(answer: Answer) -> str:
    """The cookie of whoever was let in."""
    assert answer.status == 200, answer.body
    found = re.search(r"(dlpipe=[\w-]+);", answer.headers["set-cookie"])
    assert found is not None, answer.headers
    return found[1]


def whoami(service: Service, cookie: str) -> Any:
    return look(service, "/whoami", cookie).json


def last_refusal(service: Service) -> Any:
    return service.ask("GET", "/audit?action=sign-in.refused&limit=1").json["entries"][0]


def test_whom_the_provider_vouches_for_gets_what_the_rules_say(vouched: Vouched) -> None:
    service, vouched.provider.person = vouched.service, ALICE
    assert b"/login/oidc?next=" in service.ask("GET", "//login", token=None).body
    to, cookie = begin(service)
    answer = come_back(service, vouched.provider.authorize(to), cookie)
    mine = session(answer)
    assert b'url=/new"' in answer.body, "the page itself leads on"
    me = whoami(service, mine)
    assert (me["team"], me["name"], me["scopes"]) == ("speech", "oidc:alice@example.org", ["read", "submit"])
    assert look(service, "//new", mine).status == 200
    assert look(service, "//admin", mine).status == 403
    again = whoami(service, session(sign_in(vouched)))
    assert again["name"] == me["name"]
    (row,) = [each for each in service.ask("GET", "/tokens").json if each["name"] == me["name"]]
    (first, *_) = service.ask("GET", "/audit?action=session.start").json["entries"]
    assert (first["actor"], first["token"]) == (me["name"], row["id"])
    assert first["details"] == {"issuer": vouched.provider.issuer, "sub": "alice"}
    vouched.provider.person = CHIEF
    assert whoami(service, session(sign_in(vouched)))["scopes"] == ["admin", "read", "submit"]


def test_a_change_of_groups_holds_for_all_sessions_and_revoking_too(vouched: Vouched) -> None:
    service, vouched.provider.person = vouched.service, {**CHIEF, "sub": "climber"}
    old = session(sign_in(vouched))
    vouched.provider.person |= {"groups": ["speech"]}
    new = session(sign_in(vouched))
    assert whoami(service, new)["team"] == "speech"
    assert look(service, "/whoami", old).status == 401, "of the team that he was of before"
    token = max(each["id"] for each in service.ask("GET", "/tokens").json)
    assert service.ask("DELETE", f"/tokens/{token}").status == 204
    assert look(service, "/whoami", new).status == 401
    assert sign_in(vouched).status == 403
    assert last_refusal(service)["details"]["reason"] == "an administrator has revoked it"


@pytest.mark.parametrize(
    "person",
    [
        {"sub": "stranger"},
        {"sub": "stranger", "groups": []},
        {"sub": "stranger", "groups": ["head", "HEADS", "heads\0"], "email_verified": True},
        {"sub": "stranger", "groups": "heads", "email_verified": "true"},
        {"sub": "stranger", "groups": "heads", "email_verified": 1},
        {"sub": "stranger", "groups": {"speech": True}},
        {"sub": "stranger", "project": "speech/keywords"},
        {"sub": "stranger", "project": "speech/keywords", "ref": "mainly"},
        {"sub": "stranger", "groups": "ghosts"},
    ],
    ids=repr,
)
def test_whoever_is_named_nowhere_gets_in_nowhere(vouched: Vouched, person: Claims) -> None:
    vouched.provider.person = person
    answer = sign_in(vouched)
    assert answer.status == 403
    assert "dlpipe=" not in answer.headers.get("set-cookie", "").replace("dlpipe-begun=", "")
    assert b"has no access" in answer.body


def but(**wrong: Any) -> Callable[[Claims], Claims]:
    """Claims with these in place of others; None: without."""
    return lambda claims: {name: each for name, each in {**claims, **wrong}.items() if each is not None}


WRONG: dict[str, Callable[[Claims], Claims]] = {
    "issuer": but(iss="https://evil.example"),
    "issuer with a slash": lambda claims: {**claims, "iss": claims["iss"] + "/"},
    "audience": but(aud="another-client"),
    "no audience": but(aud=None),
    "audiences without azp": but(aud=[CLIENT, "another-client"]),
    "audiences of another azp": but(aud=[CLIENT, "another-client"], azp="another-client"),
    "nonce": but(nonce="of another sign-in"),
    "no nonce": but(nonce=None),
    "nonce of another kind": but(nonce=["x"]),
    "expired": but(exp=int(time.time()) - 3600),
    "no expiry": but(exp=None),
    "never expires": but(exp=float("nan")),
    "of the future": but(iat=int(time.time()) + 3600),
    "not yet": but(nbf=int(time.time()) + 3600),
    "no subject": but(sub=None),
    "empty subject": but(sub=""),
    "long subject": but(sub="x" * 256),
    "subject of another kind": but(sub=7),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_says_something_wrong(vouched: Vouched, name: str) -> None:
    vouched.provider.person, vouched.provider.wrong = ALICE, WRONG[name]
    answer = sign_in(vouched)
    assert answer.status == 401, name
    assert b"did not confirm" in answer.body
    refusal = last_refusal(vouched.service)
    assert refusal["subject"] == "GET /login/oidc/callback"
    assert "alice" not in str(refusal["details"]), "nothing of the token is told"


def embedded(provider: Provider) -> Callable[[Claims], str]:
    """Signed by a stranger's key, which the token itself brings along and names the place of."""
    from joserfc import jwt

    key = new_keys()["RS256"]

    def sign(claims: Claims) -> str:
        place = {"jku": f"{provider.issuer}/stolen", "x5u": f"{provider.issuer}/stolen"}
        header = {"alg": "RS256", "kid": "of rsa", "jwk": key.as_dict(private=False), **place}
        return jwt.encode(header, claims, key)

    return sign


@pytest.mark.parametrize(
    "how", ["none", "HS256", "HS256 of ec", "unknown key", "embedded", "other key", "cut", "no JWT"]
)
def test_a_token_that_is_not_signed_by_its_issuer(vouched: Vouched, how: str) -> None:
    provider = vouched.provider
    provider.person = ALICE
    rsa = provider.keys["RS256"]
    match how:
        case "none":
            provider.sign = unsigned
        case "HS256":
            provider.sign = hmac_by(rsa)
        case "HS256 of ec":
            provider.sign = hmac_by(provider.keys["ES256"])
        case "unknown key":
            provider.header = {"kid": "of nobody"}
        case "embedded":
            provider.sign = embedded(provider)
        case "other key":
            provider.header = {"kid": "of ec"}  # and signed with RSA
        case "cut":
            provider.sign = lambda claims: jwt_of(provider, claims)[:-8]
        case "no JWT":
            provider.sign = lambda _: "dlp_x"
    assert sign_in(vouched).status == 401
    assert not [path for path in provider.asked if "stolen" in path], "no address of a token's is asked"


def jwt_of(provider: Provider, claims: Claims) -> str:
    from joserfc import jwt

    key = provider.keys["RS256"]
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def test_other_signatures_that_cannot_be_made_by_us(vouched: Vouched) -> None:
    vouched.provider.person, vouched.provider.algorithm = ALICE, "ES256"
    session(sign_in(vouched))


def test_what_belongs_to_another_sign_in(vouched: Vouched) -> None:
    """State, code, cookie: each with those of another; and all of them a second time."""
    service, provider = vouched.service, vouched.provider
    provider.person = ALICE
    (to, mine), (other_to, other) = begin(service), begin(service)
    back = provider.authorize(to)
    assert come_back(service, back, other).status == 400, "of another browser"
    assert come_back(service, back, "").status == 400
    state = re.search(r"state=([\w-]+)", provider.authorize(other_to))
    assert state is not None
    swapped = re.sub(r"state=[\w-]+", f"state={state[1]}", back)
    assert come_back(service, swapped, mine).status == 400
    assert come_back(service, swapped, other).status == 401, "a code that another browser's challenge was for"
    assert come_back(service, re.sub(r"code=[\w-]+", "code=made-up", provider.authorize(to)), mine).status == 401
    assert come_back(service, provider.authorize(to).replace("code=", "error=denied&x="), mine).status == 401
    back = provider.authorize(to)
    session(come_back(service, back, mine))
    assert come_back(service, back, mine).status == 401, "a code is good once"


def test_nobody_has_us_try_codes(vouched: Vouched) -> None:
    to, cookie = begin(vouched.service)
    guess = re.sub(r"code=[\w-]+", "code=guess", vouched.provider.authorize(to))
    before = vouched.provider.asked.count("/token")
    statuses = [come_back(vouched.service, guess, cookie, "203.0.113.1").status for _ in range(40)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert vouched.provider.asked.count("/token") - before == statuses.count(401) < 40
    assert come_back(vouched.service, guess, cookie, "203.0.113.2").status == 401, "another address is not meant"


def test_signing_in_leads_to_no_other_host(vouched: Vouched) -> None:
    vouched.provider.person = ALICE
    for place in ("//evil.example", "https://evil.example", "/%5Cevil.example", "javascript:x"):
        to, cookie = begin(vouched.service, place)
        assert b'url=/"' in come_back(vouched.service, vouched.provider.authorize(to), cookie).body
        secret = cookie.partition(".")[0]
        planted = come_back(vouched.service, vouched.provider.authorize(to), f"{secret}.{place.replace('/', '%2F')}")
        assert b'url=/"' in planted.body, "nor what a cookie says"


def test_a_program_shows_an_id_token(vouched: Vouched) -> None:
    service, provider = vouched.service, vouched.provider
    provider.person = {}
    job = {"sub": "project_path:speech/keywords:ref:main", "project": "speech/keywords", "ref": "main"}
    good = provider.token("dlpipe-ci", **job)
    me = service.ask("GET", "/whoami", token=good).json
    assert (me["team"], me["name"]) == ("speech", "oidc:project_path:speech/keywords:ref:main")
    made = service.submit(token=good)
    assert made.status == 201
    submitted = service.ask("GET", "/audit?action=job.submit&limit=1").json["entries"][0]
    assert (submitted["subject"], submitted["actor"], submitted["team"]) == (made.json["id"], me["name"], "speech")
    assert service.ask("GET", "/tokens", token=good).status == 403
    for wrong in (
        provider.token(CLIENT, **job),  # what people's browsers get opens no API
        provider.token("dlpipe-ci", **{**job, "ref": "a-pull-request"}),
        provider.token("dlpipe-ci", **job, exp=int(time.time()) - 120),
        provider.token("dlpipe-ci", **job, iss="https://evil.example"),
        unsigned({"iss": provider.issuer, "aud": "dlpipe-ci", "exp": int(time.time()) + 300, "iat": 1, **job}),
        good[:-4] + "AAAA",
        f"{good}.x",
        "a.b.c",
        ".".join(["x" * 20_000] * 3),
    ):
        assert service.ask("GET", "/whoami", token=wrong).status == 401
    row = next(each for each in service.ask("GET", "/tokens").json if each["name"] == me["name"])
    service.ask("DELETE", f"/tokens/{row['id']}")
    assert service.ask("GET", "/whoami", token=provider.token("dlpipe-ci", **job)).status == 401, "revoked by its row"


def test_nothing_of_it_is_kept_or_told(vouched: Vouched) -> None:
    service, vouched.provider.person = vouched.service, {**ALICE, "phone_number": "0049-30-of-nobodys-business"}
    to, cookie = begin(service)
    back = vouched.provider.authorize(to)
    answer = come_back(service, back, cookie)
    ci = vouched.provider.token("dlpipe-ci", project="speech/keywords", ref="main", sub="kept nowhere")
    assert service.ask("GET", "/whoami", token=ci).status == 200
    kept = b"".join(path.read_bytes() for path in service.data.rglob("*") if path.is_file()) + service.log().encode()
    code = re.search(r"code=([\w-]+)", back)
    assert code is not None
    secrets = ("of-nobodys-business", ci, code[1], cookie.partition("=")[2].partition(".")[0], "the client's: secret")
    for secret in (*secrets, session(answer).partition("=")[2]):
        assert secret.encode() not in kept


def test_keys_are_changed_and_the_provider_is_down(vouched: Vouched, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Last, with a service of its own that has not asked yet: what was known before holds on for a while."""
    from tests.e2e.user import make_user
    from tests.service.running import ADMINISTRATOR, serving

    folder = tmp_path_factory.mktemp("down")
    provider = vouched.provider
    provider.person, provider.is_down = ALICE, True
    rules = vouched.service.user.folder.parent / "rules.toml"
    options = ("--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT, "--oidc-rules", rules)
    options += ("--public-url", PUBLIC)
    with serving(make_user(folder), folder / "data", "--workers", 0, "--failures", 1e6, *options) as service:
        silent = service.ask("GET", "//login/oidc", token=None)
        assert (silent.status, b"does not answer" in silent.body) == (503, True)
        ci = provider.token("dlpipe-ci", project="speech/keywords", ref="main", sub="ci")
        refused = service.ask("GET", "/whoami", token=ci)
        assert (refused.status, refused.headers["content-type"]) == (503, "application/problem+json")
        assert service.ask("GET", "/whoami", token=ADMINISTRATOR).status == 200, "tokens open what they opened"
        assert "answers 503" in service.log()
    # The keys of a provider that the service knows are others now: by the old names, then by new ones.
    before = len([path for path in provider.asked if path == "/keys"])
    provider.put_right()
    old, provider.keys = provider.keys, new_keys()
    assert sign_in(vouched).status == 401, "a key of the same name that is not the one it knows"
    assert len([path for path in provider.asked if path == "/keys"]) == before, "and nobody has it ask in a row"
    provider.keys = old
    session(sign_in(vouched))
