"""Models that people trained, and models made with TensorFlow: LiteRT and the ONNX model say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import Unsupported
from dlpipe.ir import calls

from .conftest import FRONTEND, OPTIONS, Compare, sniffed

FLOAT = (
    "made/tf215/tfl_cnn_dyn made/tf221/tfl_cnn_dyn "  # too small for the converter to quantise
    "made/tf215/tfl_cnn_f16 made/tf215/tfl_cnn_f32 made/tf215/tfl_trf_f32 made/tf221/tfl_big_f16b "
    "made/tf221/tfl_rnn_f32 made/tf221/tfl_trf_f32 models/mlperf_tiny_ad/ad01_fp32 "
    "models/mlperf_tiny_ic/pretrainedResnet models/tflite_micro/hello_world_float models/tflite_micro/trained_lstm "
    "models/ultraface/version-RFB-320_without_postprocessing"
)
# Their data is quantised at run time: the difference between two roundings is allowed.
DYNAMIC = "made/tf221/tfl_big_dyn2 models/mlperf_tiny_kws/kws_ref_model_float32"
QUANTISED = (
    "made/tf215/tfl_cnn_i8 made/tf221/tfl_cnn_i8 models/arm_ml_zoo/har_int8 models/coral/keras_lstm_mnist_ptq "
    "models/mlperf_tiny_ad/ad01_int8 models/mlperf_tiny_ic/pretrainedResnet_quant "
    "models/mlperf_tiny_kws/kws_ref_model models/tflite_micro/micro_speech_quantized models/tflite_micro/person_detect"
)
FLOAT_PORTS = "made/tf215/tfl_cnn_i8fio made/tf221/tfl_cnn_i8fio made/tf221/tfl_big_i16x8"


def _file(shared: Path, name: str) -> Path:
    return shared / f"{name}.tflite"


@pytest.mark.parametrize("name", FLOAT.split())
def test_float(shared: Path, compare: Compare, name: str) -> None:
    found = compare(_file(shared, name))
    assert found.worst() < 1e-5
    assert "resolution" not in found.contract["metadata"]


@pytest.mark.parametrize("name", DYNAMIC.split())
def test_dynamic_range(shared: Path, compare: Compare, name: str) -> None:
    found = compare(_file(shared, name))
    assert found.worst() < 1e-3
    assert [set(each) for each in found.contract["metadata"]["resolution"].values()] == [{"range"}]


@pytest.mark.parametrize("name", QUANTISED.split())
def test_quantised(shared: Path, compare: Compare, name: str) -> None:
    found = compare(_file(shared, name))
    assert found.worst() <= 1
    for port in (*found.contract["inputs"], *found.contract["outputs"]):
        assert port["dtype"] in ("int8", "uint8")
        assert found.contract["metadata"]["quantisation"][port["name"]]["scale"] > 0


@pytest.mark.parametrize("name", FLOAT_PORTS.split())
def test_quantised_with_float_ports(shared: Path, compare: Compare, name: str) -> None:
    found = compare(_file(shared, name))
    ((port, original),) = found.original.items()
    step = found.contract["metadata"]["resolution"][port]["step"]
    assert np.abs(original - found.made[port]).max() <= step * 1.01


@pytest.mark.parametrize("name", ["made/tf221/tfl_cnn_f32", "made/tf221/tfl_cnn_i8", "made/tf215/tfl_trf_f32"])
def test_outputs_recorded_by_tensorflow(shared: Path, compare: Compare, name: str) -> None:
    with np.load(shared / f"{name}_io.npz") as record:
        given, wanted = record["x"], record["y"]
    found = compare(_file(shared, name))
    port, out = found.contract["inputs"][0], found.contract["outputs"][0]
    samples = given.reshape(len(given), 1, *given.shape[1:]).astype(port["dtype"])
    found = compare(_file(shared, name), {port["name"]: samples})
    error = np.abs(found.made[out["name"]].reshape(wanted.shape).astype(float) - wanted)
    assert error.max() <= (1 if out["dtype"] == "int8" else 1e-5)


def test_a_batch(shared: Path, compare: Compare) -> None:
    given = np.random.default_rng(1).standard_normal((2, 5, 32, 32, 3)).astype(np.float32)
    port = "serving_default_image:0"
    free = compare(_file(shared, "made/tf221/tfl_cnn_f32"), {port: given})
    assert free.contract["inputs"][0]["shape"] == ["N", 32, 32, 3]
    assert free.worst() < 1e-5
    fixed = compare(_file(shared, "made/tf221/tfl_cnn_f32"), {port: given}, ImportOptions(dims={"N": 5}))
    assert fixed.contract["inputs"][0]["shape"] == [5, 32, 32, 3]
    assert fixed.worst() < 1e-5


def test_labels_and_normalisation_of_the_metadata(shared: Path, work: Any) -> None:
    file = _file(shared, "models/coral/mobilenet_v1_0.25_128_quant")
    _, contract = work(FRONTEND.import_call(sniffed(file.name), OPTIONS), {"source": work.source(file)})
    assert len(contract["labels"]) == 1001
    assert contract["labels"][0] == "background"
    assert contract["metadata"]["normalisation"] == {"input": {"mean": [127.5], "std": [127.5]}}
    assert contract["metadata"]["quantisation"]["input"] == {"scale": 0.0078125, "zero_point": 128}


def test_a_quantised_photo_classifier(shared: Path, compare: Compare) -> None:
    picture = _bmp(shared / "models/coral/cat.bmp", 128)
    found = compare(_file(shared, "models/coral/mobilenet_v1_0.25_128_quant"), {"input": picture[None, None]})
    assert found.worst() <= 1
    assert "cat" in found.contract["labels"][int(found.made[found.contract["outputs"][0]["name"]].argmax())]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2_1.0_224_quant", "deeplabv3_mnv2_dm05_pascal_quant"])
def test_large_quantised_nets(shared: Path, compare: Compare, name: str) -> None:
    size = 224 if "mobilenet" in name else 513
    file = _file(shared, f"models/coral/{name}")
    picture = _bmp(shared / "models/coral/bird.bmp", size)
    port = "input" if "mobilenet" in name else "MobilenetV2/MobilenetV2/input"
    found = compare(file, {port: picture[None, None]})
    ((original, made),) = zip(found.original.values(), found.made.values(), strict=True)
    if original.dtype == np.uint8:
        assert found.worst() <= 1
    else:  # classes of pixels: where two are equally likely, one step anywhere decides
        assert (original == made).mean() >= 0.99


def test_one_net_as_tflite_and_as_onnx(shared: Path, work: Any, compare: Compare) -> None:
    """The same picture, NHWC here and NCHW there, gives the same boxes and scores."""
    people = _bmp(shared / "models/coral/grace_hopper.bmp", 320)[:240]
    picture = ((people.astype(np.float32) - 127) / 128)[None, None]
    ours = compare(_file(shared, "models/ultraface/version-RFB-320_without_postprocessing"), {"input_1": picture})
    file = shared / "models/ultraface/version-RFB-320_without_postprocessing.onnx"
    theirs, contract = work(calls.import_call(file.name), {"source": work.source(file)})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **{contract["inputs"][0]["name"]: picture.transpose(0, 1, 4, 2, 3)})
    folder, _ = work(calls.run_call(), {"ir": theirs, "samples": samples})
    by_width = {array.shape[-1]: array for array in np.load(folder / "outputs.npz").values()}
    for array in ours.made.values():
        # Scores, and codes of boxes. LiteRT itself is as far from the ONNX file: so much the author's conversion cost.
        limit = 5e-4 if array.shape[-1] == 2 else 2e-3
        np.testing.assert_allclose(array, by_width[array.shape[-1]], atol=limit)


def test_the_same_bytes_every_time(shared: Path, work: Any) -> None:
    file = _file(shared, "made/tf221/tfl_rnn_f32")
    source = work.source(file)
    made = [work(FRONTEND.import_call(sniffed(file.name), OPTIONS), {"source": source})[0] for _ in range(2)]
    for name in ("model.onnx", "contract.json"):
        assert (made[0] / name).read_bytes() == (made[1] / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "count"), [("made/tf221/tfl_cnn_i8", 9), ("models/mlperf_tiny_kws/kws_ref_model", 13)]
)
def test_layers_are_those_of_the_file(shared: Path, work: Any, compare: Compare, name: str, count: int) -> None:
    file = _file(shared, name)
    found = compare(file)
    inputs = {"source": found.source, "imported": found.ir, "samples": found.samples_folder}
    folder, value = work(FRONTEND.layers_call(sniffed(file.name), OPTIONS), inputs)
    assert len({name for name in value["layers"] if not name.endswith("__nchw")}) == count
    given = {"ir": found.ir, "samples": found.samples_folder, "layers": folder}
    _, departs = work(calls.depart_call(value["layers"], 1e-2), given)
    assert departs["reproduced"] == departs["layers"]
    assert departs["agrees_until"] == value["layers"][-1]


def test_what_cannot_be(shared: Path, work: Any) -> None:
    source = work.source(_file(shared, "made/tf221/tfl_cnn_f32"))
    model = sniffed("tfl_cnn_f32.tflite")
    wrong = ImportOptions(inputs={"serving_default_image:0": {"shape": [1, 16, 16, 3]}})
    with pytest.raises(Unsupported, match=r"fixed shape"):
        work(FRONTEND.import_call(model, wrong), {"source": source})


def test_operators(work: Any) -> None:
    _, value = work(FRONTEND.operators_call(), {})
    support = {name: each["support"] for name, each in value["operators"].items()}
    assert support["CONV_2D"] == "full"
    assert support["SVDF"] == "none"
    assert support["STRIDED_SLICE"] == "partial"
    assert "TFLite_Detection_PostProcess" in support
    assert json.dumps(value)


def _bmp(path: Path, size: int) -> Any:
    """[size, size, 3] RGB, by the nearest pixel: an uncompressed bitmap of 24 bits."""
    data = path.read_bytes()
    start, width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (10, 18, 22))
    row = (3 * width + 3) // 4 * 4
    pixels = np.frombuffer(data, np.uint8, row * abs(height), start).reshape(abs(height), row)[:, : 3 * width]
    picture = pixels.reshape(abs(height), width, 3)[:: -1 if height > 0 else 1, :, ::-1]
    ys, xs = (np.arange(size) * side // size for side in (abs(height), width))
    return np.ascontiguousarray(picture[ys][:, xs])
