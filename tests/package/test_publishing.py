"""Pushed to a real registry and pulled again; and what a registry may do wrong."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import BadModel, DiskTrouble, GateFailed, ToolMissing, UserError
from dlpipe.package.oci import modelpack
from dlpipe.package.oci.reference import Reference
from dlpipe.package.oci.registry import MANIFEST
from dlpipe.pipeline.publishing import pull, push
from dlpipe.toolchains import Registry as Definitions
from dlpipe.toolchains import Toolchains
from tests.e2e.user import User

from .conftest import DEFINITIONS, Judges
from .registry import Registry, Tokens, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the fixtures install four runtimes and convert for them

LOGIN = base64.b64encode(b"me:secret").decode()
# bcrypt of "secret", which is all that the registry takes
HTPASSWD = "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


@pytest.fixture(scope="session")
def program() -> Path:
    if os.uname().machine != "x86_64":
        pytest.skip("not run: the registry is a program for x86-64")
    try:
        root = Toolchains(registry=Definitions([DEFINITIONS])).ensure("test-docker-registry").root
    except ToolMissing as error:
        pytest.skip(f"not run: {error.message}")
    return root / "usr/bin/docker-registry"


@pytest.fixture(scope="module")
def registry(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(program, tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(autouse=True)
def _own_settings(user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This user's lineage, nobody's logins, no proxy."""
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(user.cache))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def signed(converted: Path, user: User, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(converted, tmp_path_factory.mktemp("signed") / "package", symlinks=True))
    user.ok("package", "sign", folder, "--key", key)
    return folder


def contents(folder: Path) -> dict[str, object]:
    """Name -> content and whether it may be executed, or where a link points."""
    return {
        each.relative_to(folder).as_posix(): os.readlink(each)
        if each.is_symlink()
        else (each.read_bytes(), each.stat().st_mode & 0o100)
        for each in folder.rglob("*")
        if each.is_symlink() or each.is_file()
    }


def get(registry: Registry, path: str) -> Any:
    request = urllib.request.Request(f"http://{registry.host}/v2/{path}", headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_what_is_pulled_is_what_was_pushed(
    signed: Path, registry: Registry, user: User, public: Path, tmp_path: Path, judges: Judges
) -> None:
    place = f"{registry.host}/team/net:1.0"
    made = user.ok("package", "push", signed, place, "--json").json
    pulled = user.ok("package", "pull", place, "--key", public, "-o", tmp_path / "net", "--json").json
    assert contents(tmp_path / "net") == contents(signed)
    assert (pulled["digest"], pulled["verified"], made["signed"]) == (made["digest"], True, True)
    manifest = get(registry, f"team/net/manifests/{made['digest']}")
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    kinds = {each["annotations"]["org.cncf.model.filepath"]: each["mediaType"] for each in manifest["layers"]}
    assert kinds["model.onnx"] == "application/vnd.cncf.model.weight.v1.raw"
    assert kinds["artifacts/x86-64/tvm-fp32/model.so"] == "application/vnd.cncf.model.weight.v1.raw"
    assert kinds["artifacts/x86-64/tvm-fp32/run.json"] == "application/vnd.cncf.model.weight.config.v1.raw"
    assert kinds["artifacts/x86-64/tvm-fp32/runner"] == "application/vnd.cncf.model.code.v1.raw"
    assert kinds["artifacts/x86-64/ncnn-fp32/LICENSES/ncnn-LICENSE.txt"] == "application/vnd.cncf.model.doc.v1.raw"
    config = get(registry, f"team/net/blobs/{manifest['config']['digest']}")
    assert judges.faults("modelpack", config) == ""
    assert "diffId" in judges.faults("modelpack", {**config, "modelfs": {"type": "layers", "diffId": []}})
    published = user.ok("lineage", signed / "selected" / "x86-64", "--json").json["publications"]
    assert ("pushed", place, made["digest"]) in {(each["kind"], each["place"], each["identity"]) for each in published}


def test_the_same_package_has_the_same_digest_and_is_not_sent_again(signed: Path, registry: Registry) -> None:
    first, second = (push(signed, f"{registry.host}/again:{tag}") for tag in ("1", "2"))
    assert first["digest"] == second["digest"]
    assert first["sent_bytes"] > second["sent_bytes"] == 0


def test_by_its_digest_it_is_the_same_for_ever(signed: Path, registry: Registry, tmp_path: Path) -> None:
    made = push(signed, f"{registry.host}/fixed:latest")
    push(signed / "selected" / "x86-64", f"{registry.host}/fixed:latest")
    assert pull(f"{registry.host}/fixed", tmp_path / "now", None)["digest"] != made["digest"]
    assert pull(made["reference"], tmp_path / "then", None)["digest"] == made["digest"]
    assert contents(tmp_path / "then") == contents(signed)


def test_what_was_changed_since_it_was_signed_is_not_pushed(signed: Path, registry: Registry, tmp_path: Path) -> None:
    for name, text in (("MODEL_CARD.md", "another"), ("model.sig", "{}"), ("extra", "")):
        folder = Path(shutil.copytree(signed, tmp_path / name, symlinks=True))
        (folder / name).write_text(text)
        with pytest.raises(UserError, match=f"changed since it was signed: {name}"):
            push(folder, f"{registry.host}/changed:1")


def test_what_is_not_as_signed_is_not_kept(
    signed: Path, registry: Registry, converted: Path, user: User, public: Path, tmp_path: Path
) -> None:
    push(converted, f"{registry.host}/unsigned:1")
    with pytest.raises(GateFailed, match="is not signed"):
        pull(f"{registry.host}/unsigned:1", tmp_path / "out", public)
    push(signed, f"{registry.host}/other:1")
    user.ok("package", "keygen", tmp_path / "other")
    done = user.dlpipe(
        "package", "pull", f"{registry.host}/other:1", "--key", tmp_path / "other.pub", "-o", tmp_path / "out"
    )
    assert (done.code, "made with another key" in done.err) == (3, True), done.err
    assert not (tmp_path / "out").exists()


def test_a_registry_that_sends_other_bytes_is_found(signed: Path, program: Path, tmp_path: Path) -> None:
    with running(program, tmp_path) as own:
        made = push(signed, f"{own.host}/net:1")
        manifest = get(own, f"net/manifests/{made['digest']}")
        layer = next(each for each in manifest["layers"] if each["annotations"][modelpack.FILEPATH] == "model.onnx")
        data = bytearray(own.blob(layer["digest"]).read_bytes())
        data[7] ^= 1
        own.blob(layer["digest"]).write_bytes(data)
        with pytest.raises(BadModel, match="other content"):
            pull(f"{own.host}/net:1", tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def test_cut_short_it_goes_on(signed: Path, registry: Registry, user: User, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from dlpipe.pipeline.publishing import push\n"
        "count = []\n"
        "def say(line):\n    count.append(line)\n    len(count) == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "push(Path(sys.argv[1]), sys.argv[2], say=say)\n"
    )
    place = f"{registry.host}/cut:1"
    done = subprocess.run([sys.executable, "-c", code, signed, place], env=user.environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(UserError, match="no such thing"):
        pull(place, tmp_path / "out", None)
    whole = push(signed, f"{registry.host}/whole:1")["sent_bytes"]
    assert 0 < push(signed, place)["sent_bytes"] < whole
    pull(place, tmp_path / "out", None)
    assert contents(tmp_path / "out") == contents(signed)


def test_a_full_disk_is_said(signed: Path, registry: Registry, tmp_path: Path) -> None:
    push(signed, f"{registry.host}/large:1")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=False).returncode:
        pytest.skip("not run: a small disk cannot be mounted here")
    try:
        with pytest.raises(DiskTrouble, match="disk is full"):
            pull(f"{registry.host}/large:1", disk / "out", None)
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("kind", ["password", "token"])
def test_a_registry_that_wants_a_login(signed: Path, program: Path, tmp_path: Path, kind: str) -> None:
    one, tokens = signed / "selected" / "x86-64", Tokens(tmp_path, LOGIN)
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    with tokens.served() as realm:
        ways = {
            "password": {"htpasswd": {"realm": "here", "path": str(tmp_path / "htpasswd")}},
            "token": {
                "token": {
                    "realm": realm,
                    "service": "registry",
                    "issuer": "tokens",
                    "rootcertbundle": str(tokens.bundle),
                }
            },
        }
        with running(program, tmp_path, ways[kind]) as own:
            with pytest.raises(UserError, match="does not let you") as caught:
                push(one, f"{own.host}/team/net:1")
            assert "docker login" in str(caught.value.hint)
            (tmp_path / "config.json").write_text(json.dumps({"auths": {own.host: {"auth": LOGIN}}}))
            push(one, f"{own.host}/team/net:1")
            pull(f"{own.host}/team/net:1", tmp_path / "out", None)
    assert contents(tmp_path / "out") == contents(one)
    assert bool(tokens.scopes) == (kind == "token")


def test_a_helper_is_asked_for_the_login(
    signed: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-keys"
    helper.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username": "me", "Secret": "secret"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "config.json").write_text('{"credsStore": "keys"}')
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    with running(program, tmp_path, {"htpasswd": {"realm": "here", "path": str(tmp_path / "htpasswd")}}) as own:
        push(signed / "selected" / "x86-64", f"{own.host}/net:1")


def test_what_is_no_place_is_said(signed: Path, tmp_path: Path) -> None:
    for wrong in ("net", "net:1", "team/Net:1", "host/net:1:2", "host/net@sha256:12", "http://host/net", "host/../net"):
        with pytest.raises(UserError, match="names no place"):
            Reference.parse(wrong)
    found = Reference.parse(f"oci://registry.example.org:5000/a/b-c:1.0@sha256:{'0' * 64}")
    assert (found.host, found.repository, found.tag) == ("registry.example.org:5000", "a/b-c", "1.0")
    assert not found.is_loopback
    with pytest.raises(UserError, match="cannot be reached"):
        push(signed, "127.0.0.1:9/net:1")


HOSTILE = ("../out", "/etc/passwd", "a/../../b", "", ".", "a//b", "a\\b", "a\0b")


def hostile(**changes: Any) -> bytes:
    """A manifest with one layer."""
    annotations = {modelpack.FILEPATH: changes.pop("name", "model.onnx")}
    layer = {"mediaType": "application/vnd.cncf.model.weight.v1.raw", "digest": f"sha256:{'0' * 64}", "size": 1}
    layer |= {"annotations": annotations, **changes.pop("layer", {})}
    manifest = {"artifactType": modelpack.ARTIFACT, "layers": [layer] * changes.pop("times", 1)}
    return json.dumps(
        {**manifest, "annotations": {modelpack.LINKS: json.dumps(changes.pop("links", {}))}, **changes}
    ).encode()


def test_hostile_manifests_are_refused() -> None:
    assert modelpack.read(hostile(links={"selected/x": "../model.onnx"}), "it")[1] == {"selected/x": "../model.onnx"}
    for name in HOSTILE:
        with pytest.raises(BadModel):
            modelpack.read(hostile(name=name), "it")
    for links in (
        {"x": "../y"},
        {"x": "/etc"},
        {"../x": "y"},
        {"a/x": "../../y"},
        {"model.onnx": "y"},
        {"model.onnx/x": "y"},
        3,
    ):
        with pytest.raises(UserError):
            modelpack.read(hostile(links=links), "it")
    for wrong in (
        hostile(times=2),
        hostile(layer={"digest": "md5:12"}),
        hostile(layer={"size": "many"}),
        hostile(layer={"annotations": None}),
        b"[]",
        b"no JSON",
    ):
        with pytest.raises(BadModel):
            modelpack.read(wrong, "it")
    with pytest.raises(UserError, match="archives"):
        modelpack.read(hostile(layer={"mediaType": "application/vnd.cncf.model.weight.v1.tar"}), "it")
    with pytest.raises(UserError, match="is no model package"):
        modelpack.read(hostile(artifactType="application/vnd.other"), "it")
