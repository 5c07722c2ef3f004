"""A picture through this model: python example.py photo.jpg. Needs what preprocess.py needs, and run.json's runtime."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import preprocess

here = Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
if len(sys.argv) != 2:
    sys.exit("usage: python example.py photo.jpg")
try:
    inputs = preprocess.Picture.of_artifact(here).prepared(sys.argv[1])
except (OSError, ValueError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    outputs = folder / "outputs.npz"
    if "command" in ports:  # a program of its own, which reads and writes folders of samples
        places: dict[str, Path] = {"INPUTS": folder / "inputs", "OUTPUTS": folder / "outputs"}
        for place in places.values():
            place.mkdir()
        for port in ports["inputs"]:
            np.save(places["INPUTS"] / port["file"], inputs[port["name"]][None])
        program = [str(places.get(each, each)) for each in ports["command"]]
        subprocess.run(program, check=True, cwd=here)
        np.savez(outputs, *(np.load(places["OUTPUTS"] / port["file"])[0] for port in ports["outputs"]))
    else:
        preprocess.save(folder / "inputs.npz", inputs)
        program = [sys.executable, str(here / "run.py"), str(folder / "inputs.npz"), str(outputs)]
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    if (here / "postprocess.py").is_file():
        import postprocess

        postprocess.show(postprocess.Answer.of_artifact(here), outputs)
    else:
        with np.load(outputs) as arrays:
            for port, array in zip(ports["outputs"], arrays.values(), strict=True):
                print(port["name"], array)  # noqa: T201 - a program for the user
