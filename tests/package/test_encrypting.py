"""Encrypted artefacts, loaded by the real runtimes: what is decrypted never reaches a disk."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import DiskTrouble, Unsupported, UserError
from dlpipe.package import sealed
from dlpipe.package.loaders import LOADERS, kind_of
from dlpipe.package.sealing import new_identity
from dlpipe.pipeline.encrypting import decrypt, encrypt
from dlpipe.pipeline.runnable import artifact_digest
from dlpipe.toolchains import Registry, Toolchains
from tests.e2e.user import User

from .conftest import BACKENDS, DEFINITIONS

pytestmark = [
    pytest.mark.slow,  # the fixtures install four runtimes and convert for them
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="not run: the artefacts are for x86-64"),
]
TOOLCHAINS = {"onnxruntime": "core", "onnxruntime-cuda": "core", "openvino": "openvino", "ncnn": "ncnn", "tvm": "core"}


@pytest.fixture(scope="session")
def identity(user: User) -> Path:
    user.ok("package", "keygen", "device.txt", "--encryption")
    return user.folder / "device.txt"


@pytest.fixture(scope="session")
def recipient(identity: Path) -> str:
    return identity.read_text().split()[3]


@pytest.fixture(scope="session")
def encrypted(converted: Path, user: User, recipient: str) -> Callable[[str], Path]:
    """The artefact of a backend, encrypted. Do not write there."""

    def encrypted(backend: str) -> Path:
        out = user.folder / f"encrypted-{backend}"
        if not out.exists():
            user.ok("package", "encrypt", plain(converted, backend), "--to", recipient, "--out", out)
        return out

    return encrypted


@pytest.fixture(scope="session")
def loading() -> Path:
    """Where the packages are that loaders need besides a runtime."""
    root = Toolchains(registry=Registry([DEFINITIONS])).ensure("test-package-loading").root
    return next(root.glob("lib/python3.*/site-packages"))


def plain(converted: Path, backend: str) -> Path:
    return converted / "artifacts" / "x86-64" / f"{backend}-fp32"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """As the sample programs take them: x.npz, and inputs/0.npy with samples stacked."""
    x = np.random.default_rng(1).standard_normal((1, 4, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    for name in ("inputs", "outputs", "home", "tmp"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "inputs" / "0.npy", x[None])
    return tmp_path


class Watched:
    """Runs a loader under strace."""

    def __init__(self, toolchains: Toolchains, loading: Path, folder: Path) -> None:
        if shutil.which("strace") is None:
            pytest.skip("not run: no strace here to watch the file system calls")
        self._toolchains, self._loading, self._folder = toolchains, loading, folder

    def run(self, backend: str, program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
        python = self._toolchains.ensure(TOOLCHAINS[backend]).root / "bin" / "python"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self._loading)}
        environment |= {"HOME": str(self._folder / "home"), "TMPDIR": str(self._folder / "tmp")}
        calls = "trace=open,openat,openat2,creat,memfd_create,io_uring_setup"
        return subprocess.run(
            ["strace", "-f", "-q", "-o", self._folder / "calls", "-e", calls, python, program, *map(str, arguments)],
            env=environment, cwd=self._folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def written(self) -> set[str]:
        """Files that a process opened so that it could write to them. Whoever maps, copies or sends to a file has to
        open it first, so nothing else is to be watched; io_uring, which opens without these calls, must not be used."""
        lines = (self._folder / "calls").read_text(errors="replace").splitlines()
        assert sum("openat(" in line for line in lines) > 20
        assert not [line for line in lines if "io_uring_setup(" in line]
        opened = [
            re.search(r'"([^"]*)"', line)
            for line in lines
            if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|creat\(", line) and not re.search(r"= -1 E\w+", line)
        ]
        return {found[1] for found in opened if found} - {"/dev/null"}


@pytest.fixture
def watched(toolchains: Toolchains, loading: Path, samples: Path) -> Watched:
    return Watched(toolchains, loading, samples)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_computes_the_same_and_nothing_is_written(
    converted: Path, encrypted: Callable[[str], Path], identity: Path, watched: Watched, samples: Path, backend: str,
    toolchains: Toolchains,
) -> None:  # fmt: skip
    folder, original = encrypted(backend), plain(converted, backend)
    before = sorted(folder.rglob("*"))
    if backend == "tvm":
        given, outputs = (samples / "inputs", samples / "outputs"), {str(samples / "outputs" / "0.npy")}
        (samples / "expected").mkdir()
        runner = [original / "runner", original / "model.so", samples / "inputs", samples / "expected"]
        subprocess.run(runner, check=True, capture_output=True)
    else:
        given, outputs = (samples / "x.npz",), set()
        python = toolchains.ensure(TOOLCHAINS[backend]).root / "bin" / "python"
        expected = subprocess.run(
            [python, original / "run.py", samples / "x.npz"], check=True, capture_output=True, text=True,
            env={**os.environ, "HOME": str(samples / "home")},
        )  # fmt: skip
    done = watched.run(backend, folder / "load_encrypted.py", identity, *given)
    assert done.returncode == 0, done.stderr
    assert watched.written() == outputs
    assert sorted(folder.rglob("*")) == before
    if backend == "tvm":
        assert np.array_equal(np.load(samples / "outputs" / "0.npy"), np.load(samples / "expected" / "0.npy"))
    else:
        assert "[" in done.stdout
        assert done.stdout == expected.stdout


BESIDE = """
import sys
import onnx
model = onnx.load(sys.argv[1])
weight, bias = model.graph.initializer[0], onnx.helper.make_tensor("spare", 1, [4], [1, 2, 3, 4])
bias.raw_data = onnx.numpy_helper.to_array(bias).tobytes()
bias.ClearField("float_data")
model.graph.initializer.append(bias)
model.graph.node.append(onnx.helper.make_node("Add", ["spare", "spare"], ["unused"]))
for tensor, place in ((weight, "model.onnx.data"), (bias, "model.onnx.standard")):
    data, offset = tensor.raw_data, 4096 if tensor is weight else 0
    open(f"{sys.argv[2]}/{place}", "wb").write(bytes(offset) + data)
    onnx.external_data_helper.set_external_data(tensor, place, offset=offset, length=len(data))
    tensor.ClearField("raw_data")
open(f"{sys.argv[2]}/model.onnx", "wb").write(model.SerializeToString())
"""


@pytest.mark.parametrize(("target", "backend"), [("x86-64", "onnxruntime"), ("cuda-sm86", "onnxruntime-cuda")])
def test_weights_that_lie_beside_the_model(
    converted: Path, identity: Path, recipient: str, watched: Watched, samples: Path, toolchains: Toolchains,
    target: str, backend: str,
) -> None:  # fmt: skip
    """As those of large models do; with a GPU's, everything but the GPU."""
    package = Path(shutil.copytree(converted, samples / "package", symlinks=True))
    path = f"artifacts/{target}/{backend}-fp32"
    folder, python = package / path, toolchains.ensure("core").root / "bin" / "python"
    subprocess.run([python, "-c", BESIDE, folder / "model.onnx", folder], check=True)
    report = json.loads((package / "report.json").read_text())
    for each in report["artifacts"]:
        if each["path"] == path:
            each["digest"] = artifact_digest(str(folder))
    (package / "report.json").write_text(json.dumps(report))
    done = encrypt(folder, [recipient], samples / "sealed")
    assert {"model.onnx", "model.onnx.data", "model.onnx.standard"} <= set(done["encrypted"])
    ran = watched.run(backend, samples / "sealed" / "load_encrypted.py", identity, samples / "x.npz")
    assert watched.written() == set()
    if backend == "onnxruntime-cuda":
        assert (ran.returncode, "not on the GPU: ONNX Runtime has ['CPUExecutionProvider']" in ran.stderr) == (1, True)
        return
    expected = subprocess.run(
        [python, folder / "run.py", samples / "x.npz"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == expected.stdout, ran.stderr
    assert "[" in ran.stdout


def test_a_loader_that_writes_is_caught(
    encrypted: Callable[[str], Path], identity: Path, watched: Watched, samples: Path
) -> None:
    folder = Path(shutil.copytree(encrypted("onnxruntime"), samples / "copy"))
    program = samples / "bad.py"
    program.write_text(
        f"import sys, pathlib; sys.path.insert(0, {str(folder)!r}); sys.dont_write_bytecode = True\n"
        f"import sealed; files = sealed.load(pathlib.Path({str(folder)!r}))\n"
        f"place = pathlib.Path({str(samples)!r}, 'tmp', 'model'); place.write_bytes(files['model.onnx'])\n"
    )
    assert watched.run("onnxruntime", program, identity).returncode == 0
    assert watched.written() == {str(samples / "tmp" / "model")}


def test_a_flipped_bit_in_any_file_is_refused(encrypted: Callable[[str], Path], identity: Path, tmp_path: Path) -> None:
    identities = sealed.identities_of(identity)
    for backend in BACKENDS:
        folder = Path(shutil.copytree(encrypted(backend), tmp_path / backend))
        assert sealed.open_folder(folder, identities)
        for path in [each for each in folder.rglob("*") if each.is_file()]:
            whole = path.read_bytes()
            changed = bytearray(whole)
            at = random.Random(path.name).randrange(len(whole))
            changed[at] ^= 1 << at % 8
            path.write_bytes(changed)
            with pytest.raises((sealed.Refused, sealed.NoKey)):
                sealed.open_folder(folder, identities)
            path.write_bytes(whole)


def test_decrypted_it_is_the_artefact_that_it_was(
    converted: Path, encrypted: Callable[[str], Path], identity: Path, user: User, tmp_path: Path
) -> None:
    found = user.ok("package", "decrypt", encrypted("tvm"), "--identity", identity, "-o", tmp_path / "out", "--json")
    assert found.json["decrypted"] == ["model.so"]
    original = plain(converted, "tvm")
    assert {each.relative_to(tmp_path / "out") for each in (tmp_path / "out").rglob("*")} == {
        each.relative_to(original) for each in original.rglob("*")
    }
    for each in (each for each in original.rglob("*") if each.is_file()):
        same = tmp_path / "out" / each.relative_to(original)
        assert (same.read_bytes(), same.stat().st_mode & 0o100) == (each.read_bytes(), each.stat().st_mode & 0o100)
    published = user.ok("lineage", encrypted("tvm"), "--json").json["publications"]
    assert ("encrypted", str(encrypted("tvm"))) in {(each["kind"], each["place"]) for each in published}


def test_what_is_wrong_is_said_and_nothing_is_left(
    converted: Path, encrypted: Callable[[str], Path], identity: Path, user: User, tmp_path: Path, recipient: str
) -> None:
    other = tmp_path / "other.txt"
    other.write_text(new_identity()[0])
    damaged = Path(shutil.copytree(encrypted("ncnn"), tmp_path / "damaged"))
    (damaged / "model.bin.sealed").write_bytes((damaged / "model.bin.sealed").read_bytes()[:-1])
    fewer = Path(shutil.copytree(encrypted("ncnn"), tmp_path / "fewer"))
    (fewer / "model.bin.sealed").unlink()
    out = tmp_path / "out"
    for call, says in (
        (lambda: decrypt(encrypted("ncnn"), other, out), "cannot be opened"),
        (lambda: decrypt(encrypted("ncnn"), tmp_path / "none.txt", out), "no key at"),
        (lambda: decrypt(encrypted("ncnn"), None, out), "no identity was given"),
        (lambda: decrypt(damaged, identity, out), "was changed"),
        (lambda: decrypt(fewer, identity, out), "missing"),
        (lambda: decrypt(converted, identity, out), "not an encrypted artefact"),
        (lambda: encrypt(encrypted("ncnn"), [recipient], out), "encrypted already"),
        (lambda: encrypt(converted, [recipient], out), "no artefact of dlpipe"),
        (lambda: encrypt(plain(converted, "ncnn"), ["age1x"], out), "is no recipient"),
        (lambda: encrypt(plain(converted, "ncnn"), [recipient], damaged), "no output folder of dlpipe"),
    ):
        with pytest.raises(UserError, match=says):
            call()
        assert not out.exists()
    done = user.dlpipe("run", encrypted("ncnn"), "--input", tmp_path / "x.npz")
    assert (done.code, "is encrypted" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"backend": "tvm", "kernels": "kernels.cl"}, "OpenCL driver compiles"),
        ({"backend": "tvm", "kernels": "kernels.cubin"}, "takes a GPU to watch"),
        ({"backend": "tensorrt-rtx"}, "takes a GPU to watch"),
        ({"backend": "mnn"}, "cannot be encrypted: nothing loads an encrypted model of mnn"),
    ],
)
def test_what_cannot_stay_off_the_disk_is_refused(
    recipient: str, tmp_path: Path, about: dict[str, str], why: str
) -> None:
    (tmp_path / "run.json").write_text(json.dumps({**about, "target": "somewhere"}))
    with pytest.raises(Unsupported, match=why):
        encrypt(tmp_path, [recipient], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert kind_of({"backend": "tvm", "command": ["./runner"]}) in LOADERS


def test_encrypted_then_signed(
    encrypted: Callable[[str], Path], user: User, key: Path, tmp_path: Path, problems: Callable[..., dict[str, str]],
    identity: Path,
) -> None:  # fmt: skip
    folder = Path(shutil.copytree(encrypted("openvino"), tmp_path / "package"))
    user.ok("package", "sign", folder, "--key", key)
    assert problems(folder) == {}
    assert set(sealed.open_folder(folder, sealed.identities_of(identity))) == {
        "model.bin",
        "model.xml",
        "run.c",
        "run.py",
    }
    assert "weights are encrypted" in (folder / "MODEL_CARD.md").read_text()
    (folder / "model.bin.sealed").write_bytes(b"another's")
    assert problems(folder) == {"model.bin.sealed": "changed"}


KILLED = """
import os, signal, sys
from pathlib import Path
from dlpipe.package.sealing import Sealer
from dlpipe.pipeline.encrypting import encrypt
seal = Sealer.seal
def seal_and_die(*arguments):
    seal(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
Sealer.seal = seal_and_die
encrypt(Path(sys.argv[1]), sys.argv[2:3], Path(sys.argv[3]))
"""


def test_killed_while_encrypting_nothing_half_is_left(
    converted: Path, user: User, recipient: str, tmp_path: Path
) -> None:
    artifact, out = plain(converted, "ncnn"), tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, artifact, recipient, out], env=user.environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    user.ok("package", "encrypt", artifact, "--to", recipient, "-o", out)
    assert len(list(out.glob("*.sealed"))) == 3


def test_a_full_disk_is_said(converted: Path, recipient: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], check=False).returncode:
        pytest.skip("not run: a small disk cannot be mounted here")
    try:
        with pytest.raises(DiskTrouble, match="disk is full"):
            encrypt(plain(converted, "onnxruntime"), [recipient], disk / "out")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
