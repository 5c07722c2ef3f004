"""The common IR: an ONNX model on disk and its I/O contract."""

from pathlib import Path

# Worker code, a library of calls: an ONNX graph as a torch module, which passes train and backends export.
TORCH_MODULE = Path(__file__).with_name("torch_module")
# Arrays in files, for everything that mounts what is above or `ir/graph`.
ARRAYS = Path(__file__).with_name("arrays")
GRAPH = (Path(__file__).with_name("graph"), ARRAYS)
# What lies beside an artefact's own files: code of its pre- and post-processing, which reads contract.json there.
SHIPPED = Path(__file__).with_name("shipped")
