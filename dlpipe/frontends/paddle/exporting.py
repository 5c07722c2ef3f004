"""paddle2onnx in a child process, for where it cannot go on it aborts, and would take the worker with it.

Its C++ part is called directly: the Python around it logs errors and goes on, and its optimiser runs `pip install`.
Forked rather than started: importing Paddle takes seconds.
"""

from __future__ import annotations

import os
from pathlib import Path

import paddle2onnx.paddle2onnx_cpp2py_export as cpp


def export(program: Path, params: Path | None, out: Path, opset: int) -> tuple[int, str]:
    """Write `out`. Returns (0, or the signal or exit code, with what it said)."""
    log = out.with_suffix(".log")
    child = os.fork()
    if child == 0:
        _run(program, params, out, opset, log)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def _run(program: Path, params: Path | None, out: Path, opset: int, log: Path) -> None:
    """In the child: never returns, and touches nothing of the worker's."""
    code = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        upgrade, verbose, check, experimental, optimize, fp16 = True, False, True, True, True, False
        given = (str(program), str(params or ""), opset, upgrade, verbose, check, experimental, optimize)
        out.write_bytes(cpp.export(*given, {}, "onnxruntime", "", "", fp16))
        code = 0
    except BaseException as error:  # noqa: BLE001  whatever it is, it is told and the child ends
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(code)
