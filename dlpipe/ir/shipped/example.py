"""From a file to this model's answer: python example.py photo.jpg (or clip.wav, as preprocess.py takes it).

Needs what preprocess.py needs, and the runtime that run.json names.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

here = Path(__file__).resolve().parent
ports = json.loads((here / "run.json").read_text(encoding="utf-8"))
if len(sys.argv) != 2:
    sys.exit("usage: python example.py photo.jpg")


def call(*program: object, folder: Path = Path()) -> None:
    """What it prints is not of interest here, and where it fails it has said why."""
    if subprocess.run([*map(str, program)], cwd=folder, stdout=subprocess.DEVNULL).returncode:
        sys.exit(1)


with tempfile.TemporaryDirectory() as name:
    inputs, outputs = Path(name, "inputs.npz"), Path(name, "outputs.npz")
    call(sys.executable, here / "preprocess.py", sys.argv[1], inputs)
    if "command" in ports:  # a program of the artefact's own, which reads and writes folders of samples
        places = {"INPUTS": Path(name, "inputs"), "OUTPUTS": Path(name, "outputs")}
        for place in places.values():
            place.mkdir()
        with np.load(inputs) as arrays:
            for port in ports["inputs"]:
                np.save(places["INPUTS"] / port["file"], arrays[port["name"]][None])
        call(*(places.get(each, each) for each in ports["command"]), folder=here)
        np.savez(outputs, *(np.load(places["OUTPUTS"] / port["file"])[0] for port in ports["outputs"]))
    else:
        call(sys.executable, here / "run.py", inputs, outputs)
    if (here / "postprocess.py").is_file():
        import postprocess

        postprocess.show(postprocess.Answer.of_artifact(here), outputs)
    else:
        with np.load(outputs) as arrays:
            for port, array in zip(ports["outputs"], arrays.values(), strict=True):
                print(port["name"], array)
