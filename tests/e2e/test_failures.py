"""Backends that fail in every way that tools do, in one run: each says what happened, and the others are unharmed."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.e2e.user import User

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NET = '<ir_version: 9, opset_import: ["" : 18]> net (float[1,4] x) => (float[1,4] y) { [act] y = Relu(x) }'
PLUGIN = {
    "faulty.dist-info/METADATA": "Metadata-Version: 2.1\nName: faulty\nVersion: 1\n",
    "faulty.dist-info/entry_points.txt": """
        [dlpipe.backends]
        crashing = faulty:Crashing
        hanging = faulty:Hanging
        refusing = faulty:Refusing
        raising = faulty:Raising
        missing = faulty:Missing
        [dlpipe.toolchains]
        faulty-tool = faulty
        """,
    "faulty/toolchain.toml": """
        name = "faulty-tool"
        summary = "a tool that is not installed"
        python = "3.11"
        requirements = ["six==1.17.0"]
        """,
    "faulty/toolchain.lock": """
        six==1.17.0 \\
            --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
            --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
        """,
    "faulty/__init__.py": """
        from pathlib import Path
        from dlpipe.contracts.call import Call, Limits

        class Faulty:
            toolchain, limits = "core", Limits()

            def __init__(self):
                self.name = self.summary = type(self).__name__.lower()

            def variants(self, target): return ("fp32",)
            def ir_variant(self, variant): return variant
            def lowering(self, model): return ()
            def refusals(self, target, variant, model): return []
            def run_call(self, target, variant): return None
            def timing_call(self, target, variant): return None
            def compile_call(self, target, variant):
                return Call(self.toolchain, Path(__file__).with_name("worker.py"), self.name, limits=self.limits)

        class Crashing(Faulty): pass
        class Hanging(Faulty): limits = Limits(wall_seconds=3)
        class Refusing(Faulty): pass
        class Raising(Faulty): pass
        class Missing(Faulty): toolchain = "faulty-tool"
        """,
    "faulty/worker.py": """
        import os, signal, time
        from dlpipe_worker import Refused, operation

        @operation
        def crashing(request):
            print("assertion failed: shape is odd", flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)

        @operation
        def hanging(request):
            time.sleep(600)

        @operation
        def refusing(request):
            raise Refused("it has no kernel for Relu", kind="unsupported", node="act", op="Relu")

        @operation
        def raising(request):
            raise KeyError("no such layout")
        """,
}
# What is said of each; of the last two nothing is tried: the tool is not there, and the target is another kind.
SAYS = {
    "crashing": ("SIGSEGV", "assertion failed: shape is odd"),
    "hanging": ("3 s",),
    "refusing": ("it has no kernel for Relu",),
    "raising": ("no such layout",),
    "missing": ("the faulty-tool toolchain is not installed",),
    "c-source": ("x86-64 is none",),
}


@pytest.fixture
def faulty(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a user who has the plug-in, and is offline."""
    for name, text in PLUGIN.items():
        path = tmp_path / "plugin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    path = os.pathsep.join([str(tmp_path / "plugin"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "DLPIPE_OFFLINE": "1"}


def test_what_fails_says_so_and_the_others_are_unharmed(
    settled_user: User, bench: Bench, faulty: Mapping[str, str]
) -> None:
    (settled_user.folder / "faulty.onnx").write_bytes((bench.build(NET) / "model.onnx").read_bytes())
    asked = ("convert", "faulty.onnx", "-t", "x86-64", "--precision", "fp32")
    tools = [word for name in (*SAYS, "onnxruntime") for word in ("-b", name)]
    report = settled_user.ok(*asked, *tools, "-o", "faulty", "--json", env=faulty).json
    found = {each["backend"]: each for each in report["artifacts"]}
    assert found["onnxruntime"]["verdict"] == "passed"
    assert report["selected"]["x86-64"]["backend"] == "onnxruntime"
    for name, words in SAYS.items():
        assert found[name]["verdict"] != "passed"
        assert all(word in found[name]["reason"] for word in words), (name, found[name]["reason"])
    # ... and by itself it ends the run, with the code of what went wrong and a way to go on
    for name, code in (("crashing", 4), ("missing", 2), ("c-source", 3)):
        alone = settled_user.dlpipe(*asked, "-b", name, env=faulty)
        assert alone.code == code, (name, alone.err)
        assert SAYS[name][-1] in " ".join(alone.err.split())
    unknown = settled_user.dlpipe("convert", "faulty.onnx", "-t", "x86-46")
    assert unknown.code == 2
    assert "x86-46" in unknown.err
    assert "x86-64" in unknown.err
