"""Vela: compiled for the NPU with figures that say they are its estimates; never said to have run."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target, targets

VELA = backend("vela")
U55 = target("ethos-u55-128")


@pytest.mark.parametrize("name", [name for name in targets() if name.startswith("ethos-u")])
def test_a_quantised_net_goes_onto_the_npu(work, tflite_models, name):
    artifact, value = work(VELA.compile_call(target(name), "int8"), {"ir": tflite_models["integers_int8"].ir})
    assert b"ethos-u" in (artifact / "model.tflite").read_bytes()
    figures = value["estimates"]
    assert figures["npu_cycles"]["value"] > 100
    assert figures["sram_used"]["value"] > 100
    assert figures["operators_on_the_npu"]["value"] == 1.0
    assert figures["total_cycles"]["reason"].startswith("estimated by ethos-u-vela ")
    assert "not executed" in value["not_executed"]
    ports = json.loads((artifact / "run.json").read_text())
    (taken,) = ports["inputs"]
    assert taken["order"] == [0, 3, 1, 2]  # channels last in the file
    assert (taken["shape"], taken["scale"], taken["zero"]) == (["N", 3, 8, 9], pytest.approx(0.03), 0)
    assert VELA.run_call(target(name), "int8") is None


def test_what_the_npu_has_not_is_told(work, tflite_models):
    artifact, value = work(VELA.compile_call(U55, "int8"), {"ir": tflite_models["integers_and_floats"].ir})
    left = json.loads((artifact / "run.json").read_text())["left_to_the_processor"]
    assert any("y" in each for each in left)
    assert 0 < value["estimates"]["operators_on_the_npu"]["value"] < 1
    assert any("left to the Cortex-M" in note for note in work.notes)


def test_a_model_without_anything_for_the_npu_is_refused(work, tflite_models):
    with pytest.raises(Unsupported, match="none of the model's operators"):
        work(VELA.compile_call(U55, "int8"), {"ir": tflite_models["erf"].ir})


def test_a_compile_gives_the_same_bytes_every_time(work, tflite_models, fingerprint):
    first, second = map(fingerprint, work.twice(VELA, U55, tflite_models["integers_int8"], "int8"))
    assert first == second
    assert {"model.tflite", "run.json", "run.cc"} < set(first)


# What run.cc uses of LiteRT for Microcontrollers, which no package registry has: its names and types, and no code.
TFLM = {
    "micro/micro_interpreter.h": """
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
union TfLitePtrUnion { int8_t* int8; float* f; };
struct TfLiteTensor { TfLitePtrUnion data; size_t bytes; };
namespace tflite {
struct Model;
class MicroOpResolver {};
class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t* arena, size_t size);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t);
  TfLiteTensor* output(size_t);
};
}
""",
    "micro/micro_mutable_op_resolver.h": "#pragma once\nnamespace tflite {\ntemplate <unsigned int count>\n"
    "class MicroMutableOpResolver : public MicroOpResolver {\n public:\n"
    + "".join(
        f"  TfLiteStatus Add{name}();\n"
        for name in ["EthosU", "Quantize", "Dequantize", "Reshape", "Transpose", "Softmax", "FullyConnected", "Pad"]
    )
    + "};\n}\n",
    "schema/schema_generated.h": "#pragma once\nnamespace tflite { const Model* GetModel(const void*); }\n",
}


@pytest.mark.skipif(shutil.which("g++") is None, reason="not run: needs g++")
def test_the_example_compiles_with_the_model_in_it(work, tflite_models, tmp_path):
    """Against the declarations above: that it links and runs, nobody here can say."""
    artifact = work.built(VELA, U55, tflite_models["integers_int8"], "int8")
    for name, text in TFLM.items():
        header = tmp_path / "tensorflow" / "lite" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(text)
    command = ["g++", "-std=c++17", "-Wall", "-Werror", f"-I{tmp_path}", "-c", "run.cc", "-o", tmp_path / "run.o"]
    done = subprocess.run(command, cwd=artifact, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (artifact / "model.tflite").read_bytes() in (tmp_path / "run.o").read_bytes()


def test_preflight():
    assert "is none" in VELA.refusals(target("x86-64"), "int8", {})[0].reason
    assert "8 bits" in VELA.refusals(U55, "fp32", {})[0].reason
    assert [each.op for each in VELA.refusals(U55, "int8", {"operators": {"NonZero": 1}})] == ["NonZero"]
