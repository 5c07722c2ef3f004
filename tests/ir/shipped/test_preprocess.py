"""What an artefact does to a picture is what dlpipe did when it measured, in Python and in C, to the bit."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlpipe.contracts.call import Call
from dlpipe.data import picture_call, read_call
from dlpipe.ir import SHIPPED
from dlpipe.ir.calls import attach_call
from dlpipe.ir.picture import parse_steps
from dlpipe.toolchains import Toolchains
from tests.conftest import Bench

Arrays = dict[str, NDArray[Any]]
PLAIN = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 3, 8, 8] in) => (float[1, 3, 8, 8] out) { out = Identity(in) }"""
QUANTISED = {"quantisation": {"in": {"scale": 1 / 64, "zero_point": -3}}}
IMAGENET = "scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"
# --preprocess, the input's shape and dtype, what is known of its integers. None of the sizes divides another.
CASES: list[tuple[str, list[Any], str, dict[str, Any]]] = [
    (f"rgb,resize=23,fit=cover,crop=19x17,filter=bicubic,{IMAGENET}", [1, 3, 19, 17], "float32", {}),
    ("bgr,mean=104:117:123", ["n", 14, 9, 3], "float32", {}),
    ("grey,filter=lanczos,scale=1/255", [1, 1, 28, 28], "float32", {}),
    ("grey,filter=hamming,resize=31x11", [1, 31, 11, 3], "float32", {}),
    ("filter=nearest,mean=127.5,std=127.5", [3, 16, 21], "float32", {}),
    ("filter=box,fit=cover,resize=20x24,crop=20x24", [1, 20, 24, 3], "uint8", {}),
    ("scale=1/127.5,mean=1", [1, 12, 18, 3], "int8", QUANTISED),
    ("rgb", [1, 25, 25, 3], "uint8", QUANTISED),
    ("crop=5x6,mean=-3.7,std=0.3", [1, 3, 5, 6], "float32", {}),
]
MAKING = """
from pathlib import Path
import numpy as np
from dlpipe_worker import Request, operation
from PIL import Image

@operation
def draw(request: Request):
    random = np.random.default_rng(request.params["seed"])
    for number, (mode, height, width) in enumerate(request.params["pictures"]):
        array = random.integers(0, 256, (height, width, 4), np.uint8)
        picture = Image.fromarray(array if mode == "RGBA" else array[..., :3]).convert(mode)
        picture.save(Path(request.out, f"{number}.png"))
    return {}
"""
PREPARING = """
import pathlib, sys
import preprocess
how = preprocess.Picture.of_artifact(".")
for name in sys.argv[1:]:
    pixels = preprocess.decoded(pathlib.Path(name))
    preprocess.save(name + ".npz", {**how.prepared(name), "pixels": pixels})
"""
IN_C = r"""
#include <stdio.h>
#include "preprocess.h"
static PREPROCESS_TYPE input[PREPROCESS_SIZE];
static unsigned char pixels[1 << 20];
int main(int count, char **arguments) {
  int size[3], status;
  if (count != 4) return 9;
  for (status = 0; status < 3; ++status) size[status] = atoi(arguments[status + 1]);
  if (fread(pixels, 1, sizeof pixels, stdin) != (size_t)size[0] * size[1] * size[2]) return 8;
  status = preprocess(pixels, size[0], size[1], size[2], input);
  fwrite(input, sizeof *input, PREPROCESS_SIZE, stdout);
  return status;
}
"""


@pytest.fixture(scope="module")
def photos(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small and large, wide and tall, with colours, greys, palettes and transparency."""
    worker = tmp_path_factory.mktemp("draw") / "worker.py"
    worker.write_text(MAKING)
    sizes = random.Random(7)
    modes = ("RGB", "L", "P", "RGBA", "LA", "1")
    pictures = [(mode, sizes.randint(7, 70), sizes.randint(7, 70)) for mode in modes]
    pictures += [("RGB", 90, 15), ("RGB", 15, 90), ("RGB", 64, 64), ("RGB", 9, 11)]
    return bench.run(Call("data", worker, "draw", {"seed": 7, "pictures": pictures}))[1]


def made(bench: Bench, folder: Path, text: str, shape: list[Any], dtype: str, about: Any = None) -> Path:
    """An artefact as a backend leaves it, with what goes beside it."""
    compiled = folder / "compiled"
    compiled.mkdir(parents=True)
    (compiled / "run.json").write_text("{}")
    ir = bench.make_ir(bench.build(PLAIN))
    contract = json.loads((ir / "contract.json").read_text())
    contract["inputs"] = [{"name": "in", "dtype": dtype, "shape": shape}]
    steps = parse_steps(text).model_dump(mode="json", exclude_defaults=True)
    contract["preprocessing"] = [{"kind": "picture", "input": "in", "steps": steps, "source": "me", "summary": "so"}]
    contract["metadata"] = about or {}
    (folder / "ir").mkdir()
    (folder / "ir" / "model.onnx").write_bytes((ir / "model.onnx").read_bytes())
    (folder / "ir" / "contract.json").write_text(json.dumps(contract))
    return bench.run(attach_call(()), artifact=compiled, ir=folder / "ir")[1]


@pytest.fixture(scope="module", params=CASES, ids=[case[0] for case in CASES])
def prepared(
    request: pytest.FixtureRequest,
    bench: Bench,
    toolchains: Toolchains,
    photos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[Arrays]]:
    """An artefact, and for each photo: "wanted" (as `--data photos` is read), "in" (by preprocess.py), "pixels"."""
    text, shape, dtype, about = request.param
    tmp_path = tmp_path_factory.mktemp("prepared")
    folder = made(bench, tmp_path / "made", text, shape, dtype, about)
    shutil.copytree(photos, tmp_path / "data" / "photos")
    _, call = read_call(str(tmp_path / "data" / "photos"))
    _, read = bench.run(call, data=tmp_path / "data")
    _, out = bench.run(picture_call("in", parse_steps(text), always=True), ir=folder, data=read)
    with np.load(out / "samples.npz") as stored:
        wanted = stored["in"]
    names = [str(tmp_path / "data" / "photos" / f"{number}.png") for number in range(len(wanted))]
    command = [toolchains.ensure("data").python, "-c", PREPARING, *names]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, check=True, timeout=120)
    found = []
    for name, sample in zip(names, wanted, strict=True):
        with np.load(name + ".npz") as arrays:
            found.append({**arrays, "wanted": sample})
    return folder, found


def test_python_does_to_a_picture_what_was_measured(prepared: tuple[Path, list[Arrays]]) -> None:
    for each in prepared[1]:
        assert (each["in"].dtype, each["in"].shape) == (each["wanted"].dtype, each["wanted"].shape)
        assert each["in"].tobytes() == each["wanted"].tobytes()
        assert each["in"].std() > 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="not run: needs a C compiler")
def test_c_does_the_same(prepared: tuple[Path, list[Arrays]], tmp_path: Path) -> None:
    folder, pictures = prepared
    (tmp_path / "main.c").write_text(IN_C)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{folder}"]
    subprocess.run(["cc", *flags, "main.c", "-o", "main", "-lm"], cwd=tmp_path, check=True, timeout=120)
    for each in pictures:
        size = map(str, each["pixels"].shape)
        done = subprocess.run([tmp_path / "main", *size], input=each["pixels"].tobytes(), capture_output=True)
        assert done.returncode == 0
        assert done.stdout == each["wanted"].tobytes()


NO_PICTURES = """
import numpy, PIL.Image
PIL.Image.fromarray(numpy.full((4, 4), 999, "uint16")).save("deep.png")
PIL.Image.new("1", (20_000, 20_000)).save("bomb.png")
numpy.save("none.npy", numpy.zeros((0, 4, 1), numpy.uint8))
"""


def test_what_is_no_picture_is_said_in_a_line(bench: Bench, toolchains: Toolchains, tmp_path: Path) -> None:
    """Pillow would make greys of 16 bits white."""
    folder = made(bench, tmp_path / "made", "grey", [1, 1, 4, 4], "float32")
    python = toolchains.ensure("data").python
    subprocess.run([python, "-c", NO_PICTURES], cwd=tmp_path, check=True, timeout=120)
    for name, why in (
        ("deep.png", "greys of more than 8 bits"),
        ("bomb.png", "decompression bomb"),
        ("none.npy", "no"),
    ):
        command = [python, folder / "preprocess.py", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line.startswith(f"{name}: "), why in line) == (1, True, True), line


def test_c_refuses_a_picture_that_cannot_be_made_to_fit(bench: Bench, tmp_path: Path) -> None:
    folder = made(bench, tmp_path / "made", "crop=5x6", [1, 3, 5, 6], "float32")
    (tmp_path / "main.c").write_text(IN_C)
    command = ["g++", "-Wall", "-Werror", f"-I{folder}", "-x", "c++", "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    assert subprocess.run([tmp_path / "main", "4", "9", "3"], input=bytes(108), capture_output=True).returncode == 1


def test_where_c_cannot_it_is_said_why(bench: Bench, tmp_path: Path) -> None:
    for number, (shape, dtype, why) in enumerate(
        [([1, 3, "h", "w"], "float32", "height and width are free"), ([1, 3, 8, 8], "float16", "no type float16")]
    ):
        folder = made(bench, tmp_path / str(number), "rgb", shape, dtype)
        assert {path.name for path in folder.iterdir()} == {"README.md", "contract.json", "preprocess.py", "run.json"}
        assert why in " ".join((folder / "README.md").read_text().split())


RUNNER = """#!{python}
import sys, numpy
assert sys.argv[1] == "model.so"
numpy.save(sys.argv[3] + "/0.npy", numpy.load(sys.argv[2] + "/0.npy") * 2)
"""


def test_the_example_calls_a_program_of_the_artefact_s_own(
    bench: Bench, toolchains: Toolchains, photos: Path, tmp_path: Path
) -> None:
    """As TVM's: it reads and writes folders of samples, and is started in the artefact's folder."""
    python = toolchains.ensure("data").python
    folder = made(bench, tmp_path / "made", "scale=1/255", [1, 3, 8, 8], "float32")
    command = {"command": ["./runner", "model.so", "INPUTS", "OUTPUTS"], "inputs": [{"name": "in", "file": "0.npy"}]}
    (folder / "run.json").write_text(json.dumps({**command, "outputs": [{"name": "out", "file": "0.npy"}]}))
    (folder / "runner").write_text(RUNNER.format(python=python))
    (folder / "runner").chmod(0o755)
    shutil.copyfile(SHIPPED / "example.py", folder / "example.py")
    said = subprocess.run([python, folder / "example.py", photos / "0.png"], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    subprocess.run([python, folder / "preprocess.py", photos / "0.png", tmp_path / "inputs.npz"], check=True)
    with np.load(tmp_path / "inputs.npz") as inputs:
        assert said.stdout == f"out {inputs['in'] * 2}\n"
    gone = subprocess.run([python, folder / "example.py", tmp_path / "none.png"], capture_output=True, text=True)
    assert (gone.returncode, "none.png" in gone.stderr, "Traceback" in gone.stderr) == (1, True, False)
