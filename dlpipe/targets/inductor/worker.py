"""IR -> .pt2, a package with machine code and weights. Runs in the toolchain that has PyTorch, and calls g++."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes that outlives the call

import torch
import torch._inductor
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact
from ..torch_module import exporting

_COMPILER = "g++"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@operation
def compile_(request: Request) -> object:
    """ir -> model.pt2, run.json, run.py, example.cc, LICENSES/.

    params: target, variant, compiler (the g++ that there is, or None), march (what it may use of the processor) and
    bits (the width of Inductor's own vectors, or 0).
    """
    compiler = request.params["compiler"]
    if compiler is None:
        raise Refused(
            "Inductor needs a C++ compiler, and there is no g++ on this machine",
            kind="unsupported",
            hint="install the package g++ (on Debian: apt install g++)",
        )
    contract = artifact.contract(request)
    request.progress("exporting", 0.0)
    exported = exporting.export(Path(request.inputs["ir"]), contract, "Inductor")
    request.progress("compiling", 0.3)
    package = Path(request.out, "model.pt2")
    with _scratch() as scratch:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "cache")
        made = scratch / "model.pt2"
        torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - this is its public name
            exported, package_path=str(made), inductor_configs=_settings(request.params)
        )
        kernels = _repacked(made, package)
    march = request.params["march"]
    code = {"march": march, "vector_bits": request.params["bits"], "compiler": compiler}
    ports = contract["inputs"], contract["outputs"]
    runtime = "torch", torch.__version__.split("+")[0]
    artifact.describe(request, "inductor", runtime, "model.pt2", ports, code=code)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.sample_program(request, Path(__file__).with_name("example.cc"), "example.cc")
    artifact.licences(request, "torch")
    notes = [
        f"generated code uses {march}; convolutions and products are mostly libtorch's, which looks at the processor",
        f"compiled by this machine's {compiler}: another compiler makes other bytes",
    ]
    for note in notes:
        request.note(note)
    tool = f"torch {torch.__version__}"
    return {"tool": tool, "entry": "model.pt2", "notes": notes, "kernels": kernels, "code": code}


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of always the same name: Inductor writes it into its sources, and names them by their content. Where
    somebody else has it just now, the bytes come out different."""
    folder = Path(tempfile.gettempdir(), "dlpipe-inductor")
    try:
        folder.mkdir()
    except FileExistsError:
        folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(params: Any) -> dict[str, Any]:
    return {
        "cpp.march": params["march"],
        "cpp.simdlen": params["bits"],
        "cpp.threads": 1,
        "cpp.cxx": (None, _COMPILER),
        "compile_threads": 1,
        "aot_inductor.precompile_headers": False,
        "aot_inductor.enable_line_tables": False,
        "aot_inductor.debug_symbols": False,
    }


def _repacked(source: Path, target: Path) -> list[str]:
    """The same archive without the time of day. Returns the names of its libraries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            new.writestr(zipfile.ZipInfo(name, _LONG_AGO), old.read(name))
        return sorted(Path(name).name for name in old.namelist() if name.endswith(".so"))
