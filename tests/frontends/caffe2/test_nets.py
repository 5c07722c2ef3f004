"""Caffe2 nets as users have them: in files, with what the files leave unsaid."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, StageFailed, Unsupported
from dlpipe.frontends.caffe2 import Caffe2Frontend
from dlpipe.ir import calls
from tests.frontends.caffe2.cases import Case, shaped
from tests.frontends.caffe2.test_operators import make

FRONTEND = Caffe2Frontend()
MAKER = Path(__file__).with_name("nets.py")


def _sniffed(entry: str) -> Sniffed:
    return Sniffed("caffe2/netdef-text" if entry.endswith("txt") else "caffe2/netdef", "caffe2", entry)


def _import(work: Any, source: Path, entry: str = "predict_net.pb", **options: Any) -> tuple[Path, dict[str, Any]]:
    ir, _ = work(FRONTEND.import_call(_sniffed(entry), ImportOptions(**options)), {"source": source})
    return ir, json.loads((ir / "contract.json").read_text())


def _run(work: Any, ir: Path, **feeds: Any) -> tuple[Path, dict[str, Any]]:
    """(samples, the ONNX model's outputs); feeds: [N, *shape]."""
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **feeds)
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    with np.load(out / "outputs.npz") as file:
        return samples, dict(file)


def _original(work: Any, source: Path, entry: str, ir: Path, samples: Path) -> dict[str, Any]:
    call = FRONTEND.reference_call(_sniffed(entry), ImportOptions())
    out, value = work(call, {"source": source, "imported": ir, "samples": samples})
    assert value["kind"] == "original"
    with np.load(out / "outputs.npz") as file:
        return dict(file)


def test_the_same_nets_as_text_beside_them(work: Any, shared: Path) -> None:
    made = shared / "made" / "caffe2"
    source = work.source(*(made / name for name in ("predict_net.pb", "predict_net.pbtxt", "init_net.pb")))
    assert [each["name"] for each in _import(work, source)[1]["outputs"]] == ["prob"]
    (source / "init_net.pb").rename(source / "other.pb")
    with pytest.raises(BadModel, match="which belong together"):
        _import(work, source)


@pytest.mark.parametrize("entry", ["predict_net.pb", "predict_net.pbtxt"])
def test_a_made_net(work: Any, shared: Path, entry: str) -> None:
    made = shared / "made" / "caffe2"
    source = work.source(made / entry, made / "init_net.pb")
    ir, contract = _import(work, source, entry, dims={"H": 16, "W": 16})
    assert contract["inputs"][0] | {"source": None} == {
        "name": "data", "dtype": "float32", "shape": ["N", 3, 16, 16], "layout": "NCHW", "source": None,
    }  # fmt: skip
    _, contract = _import(work, source, entry)
    assert contract["inputs"][0]["shape"] == ["N", 3, 224, 224]
    assert any("the net takes any: 224x224 is taken" in note for note in work.notes)
    with np.load(made / "ref.npz") as reference:
        _, found = _run(work, ir, data=reference["x"][None])
        np.testing.assert_allclose(found["prob"][0], reference["y"], atol=1e-6)


@pytest.mark.interpreter
@pytest.mark.slow
def test_lenet_and_its_layers(work: Any, shared: Path) -> None:
    source = work.source(shared / "models" / "caffe2_lenet")
    ir, contract = _import(work, source)
    assert contract["inputs"][0]["shape"] == ["N", 1, 28, 28]
    assert any("28x28 to 31x31 fit" in note for note in work.notes)
    image = np.random.default_rng(0).random((4, 1, 1, 28, 28), np.float32)
    samples, found = _run(work, ir, **{"1": image})
    wanted = _original(work, source, "predict_net.pb", ir, samples)["26"]
    np.testing.assert_allclose(found["26"], wanted, atol=1e-5 * np.ptp(wanted))
    call = FRONTEND.layers_call(_sniffed("predict_net.pb"), ImportOptions())
    out, value = work(call, {"source": source, "imported": ir, "samples": samples})
    assert value["layers"][:3] == ["11", "12", "13"]
    with np.load(out / "layers.npz") as layers:
        np.testing.assert_allclose(layers[str(len(value["layers"]) - 1)], wanted[0])


def test_lenet_reads_digits(work: Any, shared: Path) -> None:
    ir, _ = _import(work, work.source(shared / "models" / "caffe2_lenet"))
    digits = shared / "models" / "mnist_t10k"
    images, labels = (
        np.frombuffer(gzip.decompress(next(digits.glob(f"*{kind}*")).read_bytes())[skipped:], np.uint8)
        for kind, skipped in (("images", 16), ("labels", 8))
    )
    images = images.reshape(-1, 1, 1, 28, 28)
    _, found = _run(work, ir, **{"1": images[:1000].astype(np.float32) / 255})
    assert (found["26"][:, 0].argmax(-1) == labels[:1000]).mean() == 0.991


@pytest.mark.interpreter
@pytest.mark.slow
def test_operators_of_a_phone_are_cut_off_and_named(work: Any, shared: Path) -> None:
    source = work.source(shared / "models" / "caffe2_crayon")
    ir, contract = _import(work, source, "crayon_predict.pb", dims={"H": 64, "W": 48})
    first, last = (next(note for note in work.notes if word in note) for word in ("Preprocess", "Deprocess"))
    assert "subtracts the mean" in first
    assert "The model ends before it" in last
    assert [port["name"] for port in contract["inputs"]] == ["b0@1"]
    image = np.random.default_rng(0).uniform(-100, 100, (1, 1, 3, 64, 48)).astype(np.float32)
    samples, found = _run(work, ir, **{"b0@1": image})
    wanted = _original(work, source, "crayon_predict.pb", ir, samples)["b0"]
    np.testing.assert_allclose(found["b0"], wanted, atol=1e-5 * np.ptp(wanted))


CHAIN = Case(
    "chain",
    [
        ("Conv", ["data", "w", "b"], ["h"], {"kernel": 3, "stride": 2}),
        ("Relu", ["h"], ["h"], {}),
        ("MaxPool", ["h"], ["h"], {"kernel": 2, "stride": 2}),
        ("FC", ["h", "fw", "fb"], ["h"], {}),
        ("Softmax", ["h"], ["p"], {}),
    ],
    {"data": [1]},
    {"w": shaped(4, 3, 3, 3), "b": shaped(4), "fw": shaped(5, 4 * 55 * 55), "fb": shaped(5)},
    ["p"],
)


@pytest.mark.interpreter
@pytest.mark.slow
@pytest.mark.parametrize("form", [{}, {"text": True}, {"one_file": True}], ids=["binary", "text", "one file"])
def test_blobs_written_again_and_files_of_every_form(work: Any, form: dict[str, bool]) -> None:
    source = make(work, CHAIN, **form)
    entry = "predict_net.pbtxt" if form.get("text") else "predict_net.pb"
    ir, contract = _import(work, source, entry)
    assert contract["inputs"][0]["shape"] == ["N", 3, 224, 224]
    image = np.random.default_rng(0).random((1, 1, 3, 224, 224), np.float32)
    samples, found = _run(work, ir, data=image)
    np.testing.assert_allclose(found["p"], _original(work, source, entry, ir, samples)["p"], atol=1e-5)


POOLED = Case(
    "pooled",
    [
        ("Conv", ["data", "w", "b"], ["h"], {"kernel": 3, "stride": 2, "pad": 1}),
        ("AveragePool", ["h"], ["a"], {"kernel": 112, "stride": 1}),
        ("FC", ["a", "fw", "fb"], ["p"], {}),
    ],
    {"data": [1]},
    {"w": shaped(4, 3, 3, 3), "b": shaped(4), "fw": shaped(5, 4), "fb": shaped(5)},
    ["p"],
)


@pytest.mark.interpreter
@pytest.mark.slow
def test_the_size_of_an_image_that_a_window_covers(work: Any) -> None:
    """An image far smaller than the window is too small, though its sides below zero have a product above it."""
    _, contract = _import(work, make(work, POOLED))
    assert contract["inputs"][0]["shape"] == ["N", 3, 224, 224]


_CODES = {"scale": 0.01, "zero": 128}
MOBILE = Case(
    "mobile",
    [
        ("NCHW2NHWC", ["data"], ["nhwc"], {}),
        ("Int8Quantize", ["nhwc"], ["q"], {"Y_scale": 0.01, "Y_zero_point": 128}),
        ("Int8ConvRelu", ["q", "w", "b"], ["c"], {"kernel": 3, "order": "NHWC", "Y_scale": 0.02, "Y_zero_point": 0}),
        ("Int8AveragePool", ["c"], ["a"], {"kernel": 6, "order": "NHWC", "Y_scale": 0.02, "Y_zero_point": 0}),
        ("Int8FC", ["a", "fw", "fb"], ["f"], {"Y_scale": 0.05, "Y_zero_point": 100}),
        ("Int8Dequantize", ["f"], ["logits"], {}),
        ("Softmax", ["logits"], ["p"], {}),
    ],
    {"data": [1]},
    {
        "w": {"int8": [4, 3, 3, 3], **_CODES},
        "b": {"int32": [4], "scale": 1e-4},
        "fw": {"int8": [5, 4], **_CODES},
        "fb": {"int32": [5], "scale": 2e-4},
    },
    ["logits", "p"],
)


@pytest.mark.interpreter
@pytest.mark.slow
def test_an_8_bit_net_of_a_phone(work: Any) -> None:
    source = make(work, MOBILE)
    ir, contract = _import(work, source, dims={"H": 8, "W": 8})
    assert contract["inputs"][0]["shape"] == ["N", 3, 8, 8]
    resolution = contract["metadata"]["resolution"]
    assert resolution == {"logits": {"step": pytest.approx(0.05)}, "p": {"step": pytest.approx(0.025)}}
    image = np.random.default_rng(0).uniform(-1, 1, (8, 1, 3, 8, 8)).astype(np.float32)
    samples, found = _run(work, ir, data=image)
    wanted = _original(work, source, "predict_net.pb", ir, samples)
    assert np.abs(found["logits"] - wanted["logits"]).max() <= 0.05 * 1.01


@pytest.mark.interpreter
@pytest.mark.slow
def test_what_the_files_do_not_tell(work: Any) -> None:
    source = make(work, CHAIN)
    _, contract = _import(work, source, inputs={"data": {"shape": [2, 3, 223, 223]}})
    assert contract["inputs"][0]["shape"] == [2, 3, 223, 223]
    with pytest.raises(BadModel, match="takes 12,100 numbers of each sample, and gets"):
        _import(work, source, inputs={"data": {"shape": [1, 3, 64, 64]}})
    (source / "value_info.json").write_text('{"data": [1, [1, 3, 223, 223]]}')
    _, contract = _import(work, source)
    assert contract["inputs"][0]["shape"] == ["N", 3, 223, 223]
    _, contract = _import(work, source, outputs=("h",))
    assert [port["name"] for port in contract["outputs"]] == ["h"]
    with pytest.raises(BadModel, match="nothing in the net computes 'nothing'"):
        _import(work, source, outputs=("nothing",))
    (source / "init_net.pb").unlink()
    with pytest.raises(BadModel, match=r"the weights 'w' are in no file: is the initialisation net .* missing"):
        _import(work, source)


@pytest.mark.interpreter
@pytest.mark.slow
def test_refusals_name_the_operator(work: Any) -> None:
    def refused(kind: str, **arguments: Any) -> Unsupported:
        source = make(work, Case("bad", [(kind, ["x"], ["y"], arguments)], {"x": [2, 3]}))
        with pytest.raises(Unsupported) as caught:
            _import(work, source, inputs={"x": {"shape": [2, 3]}})
        return caught.value

    assert "the operator CTCGreedyDecoder is not converted" in str(refused("CTCGreedyDecoder"))
    assert "drops values at random" in str(refused("Dropout"))
    assert "'beta' is not one that dlpipe converts" in str(refused("Relu", beta=2.0))
    shapeless = make(work, Case("bad", [("Relu", ["x"], ["y"], {})], {"x": [2, 3]}))
    with pytest.raises(BadModel, match="the shape of the input 'x' is not in the file"):
        _import(work, shapeless)


@pytest.mark.interpreter
@pytest.mark.slow
def test_a_crash_in_caffe2_is_told(work: Any) -> None:
    """A check that fails inside Caffe2 ends its process: the run goes on."""
    case = Case(
        "x", [("RoIAlign", ["x", "r"], ["y"], {"sampling_ratio": -1})], {"x": [1, 2, 4, 4], "r": [1, 4]}, outputs=["y"]
    )
    source = make(work, case)
    given = {"x": {"shape": [1, 2, 4, 4]}, "r": {"shape": [1, 4]}}
    ir, _ = _import(work, source, inputs=given)
    samples = work.new_folder()
    np.savez(samples / "samples.npz", x=np.zeros((1, 1, 2, 4, 4), np.float32), r=np.ones((1, 1, 4), np.float32))
    with pytest.raises(StageFailed, match="sampling_ratio_ >= 0"):
        _original(work, source, "predict_net.pb", ir, samples)


@pytest.mark.interpreter
@pytest.mark.slow
def test_coverage_is_held_against_caffe2_itself(work: Any) -> None:
    _, registered = work(Call("caffe2", MAKER, "registered"), {})
    _, told = work(FRONTEND.operators_call(), {})
    listed = {name for name, each in told["operators"].items()}
    inference = {name for name in registered if not any(part in name for part in ("Gradient", "_ENGINE_", "C10"))}
    assert {name for name in inference if not name.startswith("rnn_internal")} <= listed
    assert told["operators"]["Conv"] == {"support": "full", "note": None}
    assert told["operators"]["GenerateProposals"]["support"] == "partial"
    assert told["operators"]["Adagrad"]["support"] == "none"
