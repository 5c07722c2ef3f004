"""A small net, converted once for all tests of packages, and programs of others that check what comes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlpipe.package import keys, signature
from dlpipe.toolchains import Registry, Toolchains
from tests.conftest import Bench
from tests.e2e.user import User, make_user

DEFINITIONS = Path(__file__).parents[1] / "toolchains" / "definitions"
NET = (
    '<ir_version: 8, opset_import: ["": 13]> net (float[1, 4, 8, 8] x) => (float[1, 8, 8, 8] y)'
    " { c = Conv<pads = [1, 1, 1, 1]>(x, w) y = Relu(c) }"
)
BACKENDS = ("onnxruntime", "openvino", "ncnn", "tvm")


@pytest.fixture(scope="session")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return make_user(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def converted(user: User, bench: Bench, toolchains: Toolchains) -> Path:
    """What `convert` makes of the net for four runtimes. Do not write there."""
    for name in BACKENDS[1:]:
        toolchains.ensure(name)
    shutil.copyfile(bench.build(NET, weights={"w": [8, 4, 3, 3]}) / "model.onnx", user.folder / "net.onnx")
    asked = [option for name in BACKENDS for option in ("--backend", name)]
    asked += ["--target", "x86-64", "--target", "cuda-sm86", "--backend", "onnxruntime-cuda"]
    user.ok("convert", "net.onnx", *asked, "--precision", "fp32", "--out", "converted", "--yes")
    return user.folder / "converted"


@pytest.fixture
def package(converted: Path, tmp_path: Path) -> Path:
    """A copy to work with: the output of `convert`."""
    return Path(shutil.copytree(converted, tmp_path / "package", symlinks=True))


@pytest.fixture(scope="session")
def key(user: User) -> Path:
    user.ok("package", "keygen", "release.key")
    return user.folder / "release.key"


@pytest.fixture(scope="session")
def public(key: Path) -> Path:
    return key.with_name("release.key.pub")


@dataclass(frozen=True)
class Judges:
    """Other people's programs, in a toolchain of their own."""

    root: Path

    def model_signing(self, folder: Path, public: Path) -> bool:
        """`model_signing verify key`"""
        done = subprocess.run(
            [self.root / "bin" / "model_signing", "verify", "key", folder, "--signature", folder / "model.sig",
             "--public_key", public, "--allow_symlinks"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ("Verification succeeded" in done.stdout + done.stderr) == (done.returncode == 0), done.stderr
        return done.returncode == 0

    def faults(self, kind: str, document: object) -> str:
        """What the published schema of that kind of document (see judge.py) finds wrong: "" is nothing."""
        judge = Path(__file__).with_name("judge.py")
        done = subprocess.run(
            [self.root / "bin" / "python", "-I", judge, kind],
            input=json.dumps(document), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture(scope="session")
def judges() -> Judges:
    return Judges(Toolchains(registry=Registry([DEFINITIONS])).ensure("test-package-judges").root)


@pytest.fixture(scope="session")
def problems(public: Path) -> Callable[..., dict[str, str]]:
    """What verification finds: name -> kind."""

    def problems(folder: Path, key: Path = public) -> dict[str, str]:
        return {each.name: each.kind for each in signature.verify(folder, keys.public_key(key))}

    return problems
