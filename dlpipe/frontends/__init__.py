"""A room per training framework: its file format -> ONNX, and how to run the original."""

from pathlib import Path

KIT = Path(__file__).with_name("kit")  # worker code that frontends share: a library of their calls
