"""Signed, verified, and tampered with in every way that a folder can be."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.package import keys, signature
from tests.e2e.user import User

from .conftest import Judges

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the fixtures install four runtimes and convert for them

Problems = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def signed(converted: Path, user: User, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(converted, tmp_path_factory.mktemp("signed") / "package", symlinks=True))
    made = user.ok("package", "sign", folder, "--key", key, "--json").json
    assert made["files"] == len(files_of(folder)) - 1  # model.sig signs all others
    return folder


def files_of(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file() and folder / "selected" not in each.parents]


@pytest.fixture
def package(signed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "package", symlinks=True))


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.chmod(0o644)
    path.write_bytes(data)


def test_what_was_signed_is_verified_here_and_by_openssf(
    package: Path, public: Path, problems: Problems, judges: Judges
) -> None:
    assert problems(package) == {}
    assert judges.model_signing(package, public)
    flip(package / "model.onnx", 100)
    assert not judges.model_signing(package, public)


def test_a_flipped_bit_in_any_file_is_found_and_the_file_named(package: Path, public: Path) -> None:
    loaded = keys.public_key(public)
    for path in files_of(package):
        whole = path.read_bytes()
        flip(path, random.Random(path.name).randrange(len(whole)))
        found = signature.verify(package, loaded)
        name = path.relative_to(package).as_posix()
        assert [each.name for each in found] == [name]
        assert found[0].kind == ("signature" if name == "model.sig" else "changed")
        path.write_bytes(whole)
    assert signature.verify(package, loaded) == []


def test_a_flipped_bit_anywhere_in_the_signature_is_found(package: Path, public: Path) -> None:
    loaded, sig = keys.public_key(public), package / "model.sig"
    whole = sig.read_bytes()
    places = random.Random(1)
    for at in range(0, len(whole), max(1, len(whole) // 700)):
        flip(sig, at, places.randrange(8))
        assert [each.kind for each in signature.verify(package, loaded)] == ["signature"], at
        sig.write_bytes(whole)


def test_what_is_added_missing_or_linked_elsewhere_is_named(package: Path, problems: Problems) -> None:
    (package / "model.onnx").rename(package / "extra")
    (package / "selected" / "x86-64").unlink()
    (package / "selected" / "x86-64").symlink_to("../artifacts")
    (package / "selected" / "more").symlink_to("x86-64")
    assert problems(package) == {
        "model.onnx": "missing", "extra": "added", "selected/x86-64": "changed", "selected/more": "added",
    }  # fmt: skip


def test_a_link_out_of_the_package_is_refused(package: Path, public: Path) -> None:
    (package / "more").symlink_to("../elsewhere")
    with pytest.raises(UserError, match="leads out of the package"):
        signature.verify(package, keys.public_key(public))


def test_the_exit_code_says_it_too(package: Path, user: User, public: Path) -> None:
    verify = ("package", "verify", package, "--key", public)
    assert user.ok(*verify, "--json").json["verified"]
    (package / "extra").touch()
    done = user.dlpipe(*verify)
    assert (done.code, done.out.split()) == (3, ["added", "extra"])
    again = user.dlpipe(*verify, "--json")
    assert (again.code, again.json["problems"][0]["name"]) == (3, "extra")


def test_without_a_signature_or_with_another_key(package: Path, user: User, tmp_path: Path, problems: Problems) -> None:
    user.ok("package", "keygen", tmp_path / "other.key")
    assert problems(package, tmp_path / "other.key.pub") == {"model.sig": "signature"}
    (found,) = signature.verify(package, keys.public_key(tmp_path / "other.key.pub"))
    assert "made with another key" in str(found.how)
    (package / "model.sig").unlink()
    assert problems(package) == {"model.sig": "signature"}
    for make, clear in ((Path.mkdir, Path.rmdir), (os.mkfifo, Path.unlink)):
        make(package / "model.sig")
        assert problems(package) == {"model.sig": "signature"}
        clear(package / "model.sig")


def test_what_is_no_key_is_said(user: User, key: Path) -> None:
    for read, given, says in (
        (keys.private_key, "nowhere.key", "no key at .*nowhere.key"),
        (keys.private_key, "release.key.pub", "it is no private key in PEM"),
        (keys.private_key, "net.onnx", "it is no private key in PEM"),
        (keys.public_key, "release.key", "release.key is a private key"),
        (keys.public_key, "net.onnx", "net.onnx is no public key"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            read(user.folder / given)
        assert caught.value.hint


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.key"
    path.write_bytes(keys.new_key()[0])
    for mode in (0o640, 0o604):
        path.chmod(mode)
        with pytest.raises(UserError, match=f"mode 0{mode:o}"):
            keys.private_key(path)
    path.chmod(0o600)
    assert keys.private_key(path)


def test_a_key_of_openssl_with_a_password(
    package: Path, user: User, tmp_path: Path, problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (
        "ecparam -name secp384r1 -genkey -noout -out plain.pem",
        "pkcs8 -topk8 -in plain.pem -passout pass:word -out secret.pem",
        "pkey -in plain.pem -pubout -out public.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(UserError, match="is encrypted"):
        keys.private_key(tmp_path / "secret.pem")
    monkeypatch.setenv("DLPIPE_KEY_PASSWORD", "another")
    with pytest.raises(UserError, match="is wrong"):
        keys.private_key(tmp_path / "secret.pem")
    user.ok("package", "sign", package, "--key", tmp_path / "secret.pem", env={"DLPIPE_KEY_PASSWORD": "word"})
    assert problems(package, tmp_path / "public.pem") == {}


def test_keys_are_secret_and_never_overwritten(user: User, key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    done = user.dlpipe("package", "keygen", key)
    assert (done.code, key.read_bytes()) == (2, before)
    assert "exists" in done.err


def test_what_was_changed_since_the_conversion_is_not_signed(
    converted: Path, tmp_path: Path, user: User, key: Path
) -> None:
    for what, name in (("out", "artifacts/x86-64/ncnn-fp32/model.bin"), ("one", "run.json")):
        source = converted if what == "out" else converted / "artifacts" / "x86-64" / "ncnn-fp32"
        folder = Path(shutil.copytree(source, tmp_path / what, symlinks=True))
        flip(folder / name, 5)
        done = user.dlpipe("package", "sign", folder, "--key", key)
        assert done.code == 2
        assert ("model.bin changed" if what == "out" else "no run is known that made") in done.err
        assert not (folder / "model.sig").exists()


def test_a_refused_signing_leaves_the_earlier_signature(
    package: Path, user: User, key: Path, problems: Problems
) -> None:
    report = package / "report.html"
    before = report.read_bytes()
    report.write_bytes(before + b"x")
    assert user.dlpipe("package", "sign", package, "--key", key).code == 2
    report.write_bytes(before)
    assert problems(package) == {}


def test_an_artefact_alone_is_a_package_and_its_lineage_knows(
    converted: Path, tmp_path: Path, user: User, key: Path, public: Path, problems: Problems, judges: Judges
) -> None:
    one = Path(shutil.copytree(converted / "artifacts" / "x86-64" / "ncnn-fp32", tmp_path / "one"))
    user.ok("package", "sign", one, "--key", key)
    assert problems(one) == {}
    assert judges.model_signing(one, public)
    published = user.ok("lineage", one, "--json").json["publications"]
    assert ("signed", str(one)) in {(each["kind"], each["place"]) for each in published}
    build = json.loads((one / "provenance.json").read_text())["predicate"]["buildDefinition"]
    made = {each["id"] for each in build["internalParameters"]["stages"]}
    assert [each for each in made if each.startswith("compile:")] == ["compile:x86-64/ncnn-fp32"]
    assert {each["name"] for each in build["resolvedDependencies"] if "toolchain" in each["name"]} == {
        "toolchain core",
        "toolchain ncnn",
    }


def test_an_artefact_within_a_signed_package_is_not_signed(
    package: Path, user: User, key: Path, problems: Problems
) -> None:
    done = user.dlpipe("package", "sign", package / "selected" / "x86-64", "--key", key)
    assert done.code == 2
    assert "signed as a whole" in done.err
    assert problems(package) == {}


def test_documents_are_valid_and_the_schemas_find_faults(signed: Path, judges: Judges) -> None:
    bill = json.loads((signed / "bom.cdx.json").read_text())
    statement = json.loads((signed / "provenance.json").read_text())
    assert judges.faults("cyclonedx", bill) == ""
    assert judges.faults("provenance", statement) == ""
    bill["components"][0]["modelCards"] = {}
    statement["predicate"]["buildDefinition"]["dependencies"] = []
    assert "modelCards" in judges.faults("cyclonedx", bill)
    assert "dependencies" in judges.faults("provenance", statement)


def test_documents_say_what_was_measured(signed: Path) -> None:
    report = json.loads((signed / "report.json").read_text())
    bill = json.loads((signed / "bom.cdx.json").read_text())
    models = {each["name"]: each for each in bill["components"] if "modelCard" in each}
    made = [each for each in report["artifacts"] if each["digest"]]
    assert len({each["backend"] for each in made}) >= 4
    for artifact in made:
        metrics = {each["type"]: each for each in models[artifact["path"]]["modelCard"]["quantitativeAnalysis"]
                   ["performanceMetrics"]}  # fmt: skip
        assert metrics["size [bytes]"]["value"] == str(artifact["size_bytes"])
        assert metrics["size [bytes]"]["slice"] == "measured"
    subject = {
        each["name"]: each["digest"]["sha256"]
        for each in json.loads((signed / "provenance.json").read_text())["subject"]
    }
    files = json.loads((signed / "manifest.json").read_text())["files"]
    assert files
    assert {name: entry["sha256"] for name, entry in files.items()}.items() <= subject.items()
    card = (signed / "MODEL_CARD.md").read_text()
    assert all(f"### {each['target']}: {each['backend']}, fp32" in card for each in made)
    assert "accuracy is unknown" in card


def test_signing_again_gives_the_same_documents(package: Path, user: User, key: Path, problems: Problems) -> None:
    before = {name: (package / name).read_bytes() for name in ("provenance.json", "bom.cdx.json", "MODEL_CARD.md")}
    user.ok("package", "sign", package, "--key", key)
    assert {name: (package / name).read_bytes() for name in before} == before
    assert problems(package) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from dlpipe.pipeline.packages import sign
left, replace = int(sys.argv[3]), Path.replace
def die_instead(self, target):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = die_instead
sign(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_killed_while_signing_it_is_not_signed(package: Path, user: User, key: Path, problems: Problems) -> None:
    for moment in ("2", "4"):  # the second document, the signature itself
        command = [sys.executable, "-c", KILLED, package, key, moment]
        done = subprocess.run(command, env=user.environment(), check=False)
        assert done.returncode == -signal.SIGKILL
        assert problems(package) == {"model.sig": "signature"}
    user.ok("package", "sign", package, "--key", key)
    assert problems(package) == {}
    assert not [each for each in os.listdir(package) if each.startswith(".dlpipe")]
