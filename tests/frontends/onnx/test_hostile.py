"""Mutated files of all three kinds become a model or a refusal: no crash, no hang, no trace."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import UserError
from dlpipe.ir import calls

MUTATIONS = 60  # per file


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qonnx_zoo/TFC_2W2A.onnx", "hls4ml_examples/three_layer_bn_pytorch.onnx", "ort"])
def test_any_mutation_is_imported_or_refused(shared: Path, bench: Any, tmp_path: Path, name: str) -> None:
    if name == "ort":
        source = {"source": shared / "models" / "ultraface"}
        _, made = bench.tool("to_ort", inputs=source, entry="version-RFB-320.onnx", level="ORT_ENABLE_ALL")
        path, call = made / "model.ort", calls.import_ort_call("m")
    else:
        path, call = shared / "models" / name, calls.import_call("m")
    content, chance, refused = path.read_bytes(), random.Random(name), 0
    for _ in range(MUTATIONS):
        mutated = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            # The structure stands at the ends; weights, which may be anything, between.
            near = chance.choice([len(mutated), min(4000, len(mutated))])
            at = chance.choice([chance.randrange(near), len(mutated) - 1 - chance.randrange(near)])
            mutated[at] = chance.choice([chance.randrange(256), mutated[at] ^ (1 << chance.randrange(8))])
        (tmp_path / "m").write_bytes(mutated)
        try:
            bench.run(call, source=tmp_path)
        except UserError:
            refused += 1
    assert 0 < refused < MUTATIONS
