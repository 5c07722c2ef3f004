"""Debian packages without dpkg: what is locked is what arrives, and nothing leads out of the root."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import posixpath
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.errors import ToolMissing, UserError
from dlpipe.toolchains import Registry, Toolchains
from dlpipe.toolchains.install import debian, debian_mirror, debian_unpack

Member = tuple[str, str, str]  # kind, path, content or link


def make_deb(path: Path, members: list[Member], compression: str = "xz") -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:
        for kind, name, text in members:
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if kind == "file":
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
                continue
            member.type = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[kind]
            member.linkname = text
            archive.addfile(member)
    parts = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (f"data.tar.{compression}", data.getvalue())]
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for name, content in parts:
            file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content)
            file.write(b"\n" * (len(content) % 2))
    return path


TOOL: list[Member] = [
    ("file", "./bin/tool", "#!"),
    ("file", "./usr/share/doc/tool/copyright", "free"),
    ("file", "./usr/share/doc/tool/changelog", "long"),
    ("link", "./lib/libtool.so", "/lib/x/libtool.so.1"),
    ("file", "./lib/x/libtool.so.1", "elf"),
    ("hard", "./usr/bin/same", "./bin/tool"),
    ("device", "./dev/null", ""),
    ("link", "./usr/share/secrets", "/../../etc/shadow"),
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "mirror/pool").mkdir(parents=True)
    return make_deb(tmp_path / "mirror/pool/tool_1%3a2.0_arm64.deb", TOOL)


@pytest.fixture
def mirror(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(archive.parents[1]))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv(debian_mirror.VARIABLE, address + "/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def locked(tmp_path: Path, archive: Path) -> Callable[..., Toolchains]:
    def make(**changes: str) -> Toolchains:
        content = archive.read_bytes()
        fields = {
            "size": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
            "path": "pool/tool_1%3a2.0_arm64.deb",
            **changes,
        }
        folder = tmp_path / "definitions/tool"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "toolchain.toml").write_text(
            'name = "tool-root"\nkind = "debian"\nsummary = "a root"\nsuite = "trixie"\narchitecture = "arm64"\n'
            'packages = ["tool"]\ndrop = ["*/changelog"]\n[files]\n"sys/cpu" = "a76"\n'
        )
        (folder / "toolchain.lock").write_text(
            f"# trixie\ntool 1:2.0 arm64 {fields['size']} {fields['sha256']} {fields['path']}\n"
        )
        return Toolchains(tmp_path / "toolchains", registry=Registry([tmp_path / "definitions"]))

    return make


def test_a_locked_root_is_installed(mirror, locked):
    environment = locked().ensure("tool-root")
    root = environment.root
    assert environment.versions == {"tool": "1:2.0"}
    assert (root / "usr/bin/tool").stat().st_mode & 0o777 == 0o755
    assert (root / "bin/tool").read_text() == (root / "usr/bin/same").read_text() == "#!"
    assert (root / "lib/libtool.so").read_text() == "elf"
    assert (root / "sys/cpu").read_text() == "a76"
    assert not (root / "usr/share/doc/tool/changelog").exists()
    assert not (root / "dev").exists()
    links = [path for path in root.rglob("*") if path.is_symlink()]
    assert len(links) >= 3
    assert all(link.resolve().is_relative_to(root.resolve()) for link in links)
    assert all(not link.readlink().is_absolute() for link in links)


def test_a_version_that_the_mirror_dropped_says_what_to_do(mirror, locked):
    toolchains = locked(path="pool/gone.deb")
    with pytest.raises(
        ToolMissing, match=r"tool 1:2\.0 \(arm64\) cannot be had: 127\.0\.0\.1: File not found"
    ) as error:
        toolchains.ensure("tool-root")
    assert debian_mirror.VARIABLE in str(error.value.hint)
    assert toolchains.installed() == []


def test_other_bytes_than_the_locked_ones_are_not_installed(mirror, locked):
    toolchains = locked(sha256="0" * 64)
    with pytest.raises(ToolMissing, match="not as locked"):
        toolchains.ensure("tool-root")
    assert toolchains.installed() == []


def test_a_lock_that_is_none_is_a_user_error(mirror, locked):
    toolchains = locked(size="many")
    with pytest.raises(UserError, match="has a line that is none"):
        toolchains.ensure("tool-root")


@pytest.mark.parametrize("member", [("file", "../../evil", "x"), ("file", "usr/../../evil", "x")])
def test_a_path_that_leads_out_is_refused(tmp_path, member):
    with pytest.raises(ToolMissing, match="leads out"):
        debian_unpack.unpack(make_deb(tmp_path / "evil.deb", [member]), tmp_path / "root")
    assert not (tmp_path / "evil").exists()


def test_a_file_written_through_a_link_stays_inside(tmp_path):
    members = [("link", "usr/out", "/"), ("file", "usr/out/evil", "x")]
    debian_unpack.unpack(make_deb(tmp_path / "evil.deb", members), tmp_path / "root")
    assert (tmp_path / "root/evil").read_text() == "x"  # and not /evil


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"!<arch>\n", b"!<arch>\n" + b"x" * 70])
def test_what_is_no_package_is_said(tmp_path, content):
    (tmp_path / "odd.deb").write_bytes(content)
    with pytest.raises(ToolMissing, match=r"odd\.deb"):
        debian_unpack.unpack(tmp_path / "odd.deb", tmp_path / "root")


PARTS = st.lists(st.sampled_from(["..", ".", "a", "lib", "usr", "bin", ""]), min_size=1, max_size=6)


@given(st.lists(st.sampled_from(["a", "b", "usr"]), min_size=1, max_size=4), PARTS, st.booleans())
def test_no_link_ever_leads_out(folder, target, absolute):
    text = ("/" if absolute else "") + "/".join(target)
    link = debian_unpack.relative_link("/".join(folder), text)
    assert not link.startswith("/")
    assert not posixpath.normpath(posixpath.join(posixpath.dirname("/".join(folder)), link)).startswith("..")


DEB822 = """Types: deb deb-src
# a comment
URIs: http://one.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb
URIs: http://security.example/
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/
Suites: bookworm
Components: main

Types: deb
URIs: https://docker.example/
Suites: bookworm
Components: stable
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """apt({file: text}) -> the mirrors of a machine with these files below /etc/apt, and no program to ask."""
    monkeypatch.delenv(debian_mirror.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def found(files: dict[str, str]) -> list[str]:
        for name, text in files.items():
            path = tmp_path / (name if name.startswith("usr/") else f"etc/apt/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return debian_mirror.mirrors(tmp_path)

    return found


def test_deb822_sources(apt):
    assert apt({"sources.list.d/debian.sources": DEB822}) == ["http://one.example/debian"]


def test_one_line_sources(apt):
    text = """# deb http://off.example/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://two.example/debian trixie main non-free # ours
deb-src http://three.example/debian trixie main
deb http://ubuntu.example/ubuntu noble main
"""
    assert apt({"sources.list": text}) == ["https://two.example/debian"]


def test_sources_of_a_cloud_image(apt):
    source = DEB822.replace("http://one.example/debian/", "mirror+file:/etc/apt/mirrors/debian.list")
    listed = "https://cloud.example/debian priority:1\n"
    assert apt({"sources.list.d/d.sources": source, "mirrors/debian.list": listed}) == ["https://cloud.example/debian"]


UBUNTU = {"sources.list": "deb http://ubuntu.example/ubuntu noble main\n"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "usr/share/debootstrap/scripts/sid",
            "case $ARCH in\n *)\n  default_mirror http://four.example/debian\nesac\n",
        ),
        ("usr/sbin/debootstrap", '#!/bin/sh\nDEF_MIRROR="http://four.example/debian"\n'),
    ],
)
def test_on_another_distribution_debootstrap_knows(apt, file, text):
    assert apt({**UBUNTU, file: text}) == ["http://four.example/debian"]


def test_no_mirror_at_all_says_what_to_do(apt):
    with pytest.raises(ToolMissing, match="no Debian mirror") as error:
        apt({})
    assert debian_mirror.VARIABLE in str(error.value.hint)


@pytest.mark.parametrize("name", ["qemu-user", "root-arm64"])
def test_the_locks_that_are_shipped(toolchains, name):
    packages = debian.read_lock(toolchains.spec(name).lock_path.read_text())
    assert packages
    assert all(len(package.sha256) == 64 and package.path.startswith("pool/main/") for package in packages)
