"""Hardware as data (one .toml per target) and a room per backend: IR -> artefact, and how to run it."""

from pathlib import Path

KIT = Path(__file__).with_name("kit")  # worker code that backends share: a library of their calls
TFLITE = Path(__file__).with_name("tflite")  # the same: from the IR to TensorFlow Lite's graph
