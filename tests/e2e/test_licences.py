"""A compiler under a proprietary licence: nothing of it is installed before the user says so, and no other suffers."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.conftest import Bench
from tests.e2e.user import User

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

NET = '<ir_version: 9, opset_import: ["" : 18]> net (float[1,4] x) => (float[1,4] y) { y = Relu(x) }'
FILES = {
    "acme.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1\n",
    "acme.dist-info/entry_points.txt": """
        [dlpipe.backends]
        acme = acme:Acme
        [dlpipe.toolchains]
        acme = acme
        """,
    "acme/toolchain.toml": """
        name = "acme"
        summary = "Acme's compiler"
        python = "3.11"
        licence = "Acme EULA"
        vendor = "Acme"
        licence_text = "https://acme.example/eula"
        proprietary = true
        requirements = ["six==1.17.0"]
        """,
    "acme/toolchain.lock": """
        six==1.17.0 \\
            --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
            --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
        """,
    "acme/__init__.py": """
        from pathlib import Path
        from dlpipe.contracts.call import Call

        WORKER = Path(__file__).with_name("worker.py")

        class Acme:
            name, summary = "acme", "Acme's compiler"

            def variants(self, target): return ("fp32",)
            def ir_variant(self, variant): return variant
            def lowering(self, model): return ()
            def refusals(self, target, variant, model): return []
            def compile_call(self, target, variant): return Call("acme", WORKER, "compile")
            def run_call(self, target, variant): return None
            def timing_call(self, target, variant): return None
        """,
    "acme/worker.py": """
        import shutil
        from pathlib import Path
        from dlpipe_worker import operation

        @operation
        def compile_(request):
            shutil.copyfile(Path(request.inputs["ir"], "model.onnx"), Path(request.out, "model.acme"))
            Path(request.out, "run.json").write_text("{}")
            return {"tool": "acme 1"}
        """,
}


@pytest.fixture
def acme(tmp_path: Path, toolchains: Toolchains) -> Mapping[str, str]:
    """The environment of a user who has the plug-in, and a cache without its toolchain."""
    for name, text in FILES.items():
        path = tmp_path / "plugin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    cache = tmp_path / "own"
    (cache / "toolchains").mkdir(parents=True)
    for name in ("base", "core"):
        root = toolchains.ensure(name).root
        (cache / "toolchains" / root.name).symlink_to(root)
    path = os.pathsep.join([str(tmp_path / "plugin"), os.environ.get("PYTHONPATH", "")])
    return {"DLPIPE_CACHE_DIR": str(cache), "PYTHONPATH": path, "DLPIPE_ACCEPT_LICENCES": ""}


@pytest.fixture
def net(user: User, bench: Bench) -> str:
    (user.folder / "net.onnx").write_bytes((bench.build(NET) / "model.onnx").read_bytes())
    return "net.onnx"


def test_the_licence_gate(user: User, net: str, acme: Mapping[str, str]) -> None:
    convert = ("convert", net, "-t", "x86-64", "--precision", "fp32")
    both = (*convert, "-b", "onnxruntime", "-b", "acme", "--json")
    way = "dlpipe toolchain install acme --accept-licence"

    plan = user.ok("plan", net, "-t", "x86-64", "-b", "acme", env=acme).out
    assert "NOT install: acme" in plan
    assert "Acme EULA of Acme (read it: https://acme.example/eula)" in " ".join(plan.split())
    alone = user.dlpipe(*convert, "-b", "acme", env=acme)
    assert (alone.code, way in alone.err) == (2, True)

    beside = {each["backend"]: each for each in user.ok(*both, env=acme).json["artifacts"]}
    assert beside["onnxruntime"]["verdict"] == "passed"
    assert beside["acme"]["verdict"] == "failed"
    assert way in beside["acme"]["reason"]

    (listed,) = [each for each in user.ok("toolchain", "list", "--json", env=acme).json if each["name"] == "acme"]
    assert (listed["proprietary"], listed["accepted"], listed["installed"]) == (True, False, False)
    assert way in user.ok("toolchain", "doctor", "acme", env=acme).out
    assert way in user.dlpipe("toolchain", "install", "acme", env=acme).err
    assert user.dlpipe("toolchain", "install", "--accept-licence", env=acme).code == 2

    user.ok("toolchain", "install", "acme", "--accept-licence", env=acme)
    kept = json.loads(Path(acme["DLPIPE_CACHE_DIR"], "licences", "acme.json").read_text())
    assert (kept["licence"], kept["vendor"]) == ("Acme EULA", "Acme")
    after = {each["backend"]: each for each in user.ok(*both, env=acme).json["artifacts"]}
    assert set(after["acme"]["files"]) >= {"model.acme", "run.json"}
