"""IR -> .om by a program of Huawei's that lies on this machine. Runs in the base toolchain, which has no packages."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, ports
from .command import command


@operation
def compile_(request: Request) -> object:
    """ir -> model.om, run.json. params: target, variant, tool (atc or omg), soc_version, home, program."""
    params, out = request.params, Path(request.out)
    contract = artifact.contract(request)
    inputs = ports.fixed_inputs(contract, params["tool"])
    home, program = Path(params["home"]), Path(params["home"], params["program"])
    if not program.is_file():
        raise Refused(f"{program} is not seen from inside the jail, which shows of this machine only /usr")
    model = str(Path(request.inputs["ir"], "model.onnx").resolve())
    asked = command(params["tool"], model, str((out / "model").resolve()), inputs, params["soc_version"])
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [str(program), *asked[1:]],
            cwd=scratch,
            env={**os.environ, **_environment(home)},
            capture_output=True,
            text=True,
            errors="replace",
        )
    said = (done.stdout + done.stderr).strip()
    sys.stdout.write(said + "\n")
    if done.returncode or not (out / "model.om").is_file():
        lines = [line.strip() for line in said.splitlines() if "ERROR" in line or line.startswith("E")]
        raise Refused(f"{params['tool']} does not compile the model: {(lines or [said[-300:]])[0][:400]}")
    version = params["version"].splitlines()[0] if params["version"] else "of unknown version"
    artifact.describe(request, "atc", (params["tool"], version), "model.om", (inputs, contract["outputs"]))
    why = f"nothing here can execute {params['target']}: it takes the device"
    return {"tool": f"{params['tool']} {version}", "entry": "model.om", "not_executed": why}


def _environment(home: Path) -> dict[str, str]:
    """What CANN's set_env.sh sets."""
    opp = home / "opp"
    return {
        "ASCEND_TOOLKIT_HOME": str(home),
        "ASCEND_OPP_PATH": str(opp),
        "ASCEND_AICPU_PATH": str(home),
        "TOOLCHAIN_HOME": str(home / "toolkit"),
        "LD_LIBRARY_PATH": f"{home / 'lib64'}:{home / 'lib64/plugin/opskernel'}:{home / 'lib64/plugin/nnengine'}",
        "PYTHONPATH": f"{home / 'python/site-packages'}:{opp / 'built-in/op_impl/ai_core/tbe'}",
        "PATH": f"{home / 'bin'}:{home / 'compiler/ccec_compiler/bin'}:{os.environ.get('PATH', os.defpath)}",
    }
