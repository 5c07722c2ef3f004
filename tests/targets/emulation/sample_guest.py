"""Runs an artefact's own sample program on the first sample, in place of the program that dlpipe runs an artefact by.

It is called as the worker of `dlpipe.targets.emulation` calls any: ARTIFACT SAMPLES.npz OUTPUTS.npz.
"""

import json
import platform
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np

artifact, samples, outputs = sys.argv[1:4]
with tempfile.TemporaryDirectory() as folder:
    given = str(Path(folder, "given.npz"))
    with np.load(samples) as archive:
        np.savez(given, **{name: archive[name][0] for name in archive.files})
    program = str(Path(artifact, "run.py"))
    sys.argv = [program, given, outputs]
    sys.path.insert(0, artifact)
    runpy.run_path(program, run_name="__main__")
sys.stdout.write("\ndlpipe " + json.dumps({"result": {"machine": platform.machine()}}) + "\n")
