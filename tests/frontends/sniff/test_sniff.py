"""The sniffer tells formats by their content, and survives whatever a file holds."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.registry import frontend_for
from dlpipe.frontends.sniff import sniff_call
from dlpipe.frontends.sniff.heads import HEAD, told_by_head

REAL = {
    "models/arm_ml_kws/DS_CNN_S.pb": "tensorflow/graphdef",
    "models/arm_ml_kws/LSTM_S.pb": "tensorflow/graphdef",
    "made/tf221/tf1_while_v2.pb": "tensorflow/graphdef",
    "made/tf221/savedmodel_rnn": "tensorflow/saved-model",
    "models/mlperf_tiny_kws/kws_ref_model": "tensorflow/saved-model",
    "made/tf221/keras_cnn.h5": "keras/hdf5",
    "made/tf221/keras_cnn.keras": "keras/zip",
    "made/tf221/tfl_cnn_dyn.tflite": "tflite/model",
    "made/caffe2/predict_net.pb": "caffe2/netdef",
    "made/caffe2/predict_net.pbtxt": "caffe2/netdef-text",
    "models/caffe2_lenet/init_net.pb": "caffe2/init-net",
    "models/caffe2_crayon/crayon_predict.pb": "caffe2/netdef",
    "made/caffe/lenet.prototxt": "caffe/prototxt",
    "made/caffe/lenet.caffemodel": "caffe/caffemodel",
    "models/caffe_cifar10/cifar10_quick.prototxt": "caffe/prototxt",
    "models/caffe_cifar10/cifar10_quick_iter_5000.caffemodel": "caffe/caffemodel",
    "models/mtcnn_caffe_mxnet/det1.caffemodel": "caffe/caffemodel",
    "models/mtcnn_caffe_mxnet/det1-symbol.json": "mxnet/symbol",
    "models/mtcnn_caffe_mxnet/det1-0001.params": "mxnet/params",
    "made/mxnet191/lstm-symbol.json": "mxnet/symbol",
    "models/mtcnn_paddle2/PNet.pdmodel": "paddle/program",
    "made/paddle331/cnn.json": "paddle/json",
    "made/pt/cnn_module.pt": "pytorch/module",
    "made/pt/cnn_sd.pt": "pytorch/state-dict",
    "made/pt/cnn_trace.pt": "pytorch/torchscript",
    "models/silero_vad/silero_vad.jit": "pytorch/torchscript",
    "models/ultraface/version-RFB-320.pth": "pytorch/state-dict",
    "models/pytorch_resnet_cifar10/resnet20-12fca82f.th": "pytorch/state-dict",
    "models/yunet/yunet_n.pth": "pytorch/state-dict",
    "models/hls4ml_examples/KERAS_3layer.json": "keras/json",
    "models/face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5": "keras/hdf5",
    "made/tf221/tf1_ckpt/model.ckpt-100.meta": "tensorflow/metagraph",
    "made/cntk27/cnn.model": "cntk/model",
    "made/cntk27/lstm.model": "cntk/model",
    "made/kaldi/tdnn.txt.mdl": "kaldi/nnet3",
    "made/nnef/net17.nnef": "nnef/folder",
    "made/skl/lr.joblib": "sklearn/joblib",
    "made/skl/gbr.joblib": "sklearn/joblib",
    "made/skl/xgb.json": "xgboost/json",
    "made/skl/xgb.ubj": "xgboost/ubj",
    "made/skl/lgb.txt": "lightgbm/text",
    "made/spark/rf_pipeline": "spark/pipeline",
    "made/theano105/cnn_graph.pkl": "theano/pickle",
    "made/theano105/cnn_function.pkl": "theano/pickle",
    "made/theano105/lasagne_params.npz": "lasagne/npz",
    "models/yolo_fastest/yolo-fastest-1.1.cfg": "darknet/cfg",
    "models/yolo_fastest/yolo-fastest-1.1.param": "ncnn/param",
    "models/ultraface/RFB-320.mnn": "mnn/model",
    "models/ultraface/RFB-320-quant-KL-5792.mnn": "mnn/model",
    "models/qonnx_zoo/TFC_2W2A.onnx": "onnx/model",
    "models/ultraface/version-RFB-320.onnx": "onnx/model",
}
MUTATED = ("models/arm_ml_kws/DS_CNN_S.pb", "made/tf221/tf1_while_v2.pb", "made/caffe2/predict_net.pb")
MUTATED += ("made/tf221/savedmodel_rnn/saved_model.pb", "models/qonnx_zoo/TFC_2W2A.onnx", "made/caffe/lenet.caffemodel")
MUTATED += ("made/tf221/keras_cnn.keras", "made/tf221/tfl_cnn_dyn.tflite", "made/tf221/tf1_ckpt/model.ckpt-100.meta")

Sniff = Callable[..., Sniffed]


@pytest.fixture
def sniff(work: Any) -> Sniff:
    def run(content: bytes | Path, entry: str = "model.pb") -> Sniffed:
        if isinstance(content, bytes):
            folder = work.new_folder()
            (folder / entry).write_bytes(content)
        else:
            folder = work.source(content)
            entry = "." if content.is_dir() else content.name
        file = content if isinstance(content, Path) else folder / entry
        told = told_by_head(file, file.read_bytes()[:HEAD]) if file.is_file() else None
        try:
            _, value = work(sniff_call(entry), {"source": folder})
        except BadModel:
            assert told is None
            raise
        assert told is None or told.form == value["format"], "what the head tells holds"
        return Sniffed(**{**value, "risks": tuple(value["risks"])})

    return run


@pytest.mark.parametrize(("file", "form"), REAL.items())
def test_real_files(shared: Path, sniff: Sniff, file: str, form: str) -> None:
    found = sniff(shared / file)
    assert (found.format, found.framework) == (form, form.split("/")[0])


def test_the_suffix_decides_nothing(shared: Path, sniff: Sniff) -> None:
    for file, form in REAL.items():
        if (shared / file).is_file():
            assert sniff((shared / file).read_bytes(), "model.jpg").format == form


WEIGHTS = {  # the file that is named, what lies beside it -> the file that the model begins with
    ("models/caffe_lenet/lenet_iter_10000.caffemodel", "models/caffe_lenet/lenet.prototxt"): "caffe/prototxt",
    ("models/mxnet_mnist/mnist-0035.params", "models/mxnet_mnist/mnist-symbol.json"): "mxnet/symbol",
    ("models/caffe2_lenet/init_net.pb", "models/caffe2_lenet/predict_net.pb"): "caffe2/netdef",
    ("models/ultraface/RFB-320.bin", "models/ultraface/RFB-320.param"): "ncnn/param",
    ("models/mtcnn_paddle2/PNet.pdiparams", "models/mtcnn_paddle2/PNet.pdmodel"): "paddle/program",
    ("made/paddle331/txt.pdiparams", "made/paddle331/txt.json"): "paddle/json",
}
WEIGHTS["models/hls4ml_examples/KERAS_3layer_weights.h5", "models/hls4ml_examples/KERAS_3layer.json"] = "keras/json"
WEIGHTS["models/yolo_fastest/yolo-fastest-1.1.weights", "models/yolo_fastest/yolo-fastest-1.1.cfg"] = "darknet/cfg"


@pytest.mark.parametrize(("files", "form"), WEIGHTS.items())
def test_weights_lead_to_their_network(work: Any, shared: Path, files: tuple[str, str], form: str) -> None:
    weights, network = (shared / file for file in files)
    _, found = work(sniff_call(weights.name), {"source": work.source(weights, network)})
    assert (found["format"], found["entry"]) == (form, network.name)


@pytest.mark.parametrize(("files", "form"), WEIGHTS.items())
def test_a_folder_of_two(work: Any, shared: Path, files: tuple[str, str], form: str) -> None:
    paths = [shared / file for file in files]
    _, found = work(sniff_call("."), {"source": work.source(*paths)})
    assert (found["format"], found["entry"]) == (form, paths[1].name)


def test_a_frozen_graph(shared: Path, sniff: Sniff) -> None:
    found = sniff(shared / "models/arm_ml_kws/DS_CNN_S.pb")
    assert found.operators["Conv2D"] == 5
    assert found.operators["Mfcc"] == 1
    assert frontend_for(found).name == "tensorflow"


def test_risks(sniff: Sniff) -> None:
    node = _field(1, b"py") + _field(2, b"PyFunc")
    assert sniff(_field(1, node)).risks == ("the operator PyFunc executes Python code",)


def test_folders(work: Any, shared: Path) -> None:
    _, found = work(sniff_call("."), {"source": work.new_folder()})
    assert found["format"] == "unknown"
    two = work.source(shared / "models/arm_ml_kws/DNN_S.pb", shared / "models/arm_ml_kws/DNN_M.pb")
    _, found = work(sniff_call("."), {"source": two})
    assert found["format"] == "unknown"
    assert "DNN_M.pb, DNN_S.pb" in found["reason"]
    _, found = work(sniff_call("."), {"source": work.source(shared / "models/arm_ml_kws/DNN_S.pb")})
    assert (found["format"], found["entry"]) == ("tensorflow/graphdef", "DNN_S.pb")
    _, found = work(sniff_call("."), {"source": work.source(shared / "made/nnef/net17.nnef")})
    assert found["framework"] == "nnef"


def test_what_no_frontend_takes_is_named(sniff: Sniff, shared: Path) -> None:
    with pytest.raises(BadModel, match="empty"):
        frontend_for(sniff(b""))
    with pytest.raises(Unsupported, match="holds weights only"):
        frontend_for(sniff(shared / "models/caffe2_lenet/init_net.pb"))
    with pytest.raises(Unsupported, match="how to train"):
        frontend_for(sniff(b'net: "train_val.prototxt"\nbase_lr: 0.01\nname: "x"\n', "solver.prototxt"))
    for begins in (b"<Nnet> ", b"\0B<Nnet> "):
        with pytest.raises(Unsupported, match="nnet1"):
            frontend_for(sniff(begins + b"<AffineTransform> 3 2 "))
        with pytest.raises(Unsupported, match="nnet2"):
            frontend_for(sniff(begins + b"<NumComponents> 2 "))


def test_a_file_cut_short_says_so(sniff: Sniff, shared: Path) -> None:
    data = (shared / "models/arm_ml_kws/DS_CNN_S.pb").read_bytes()
    with pytest.raises(BadModel, match=r"begins as a TensorFlow GraphDef and is damaged"):
        sniff(data[: len(data) // 2])
    data = (shared / "models/ultraface/version-RFB-320.onnx").read_bytes()
    with pytest.raises(BadModel, match=r"begins as an ONNX model and is damaged"):  # its graph is one field of the file
        sniff(data[: len(data) // 2])


def test_a_file_of_no_known_format_is_shown(sniff: Sniff) -> None:
    with pytest.raises(BadModel, match=r"text that begins with 'good morning'.*no format"):
        frontend_for(sniff(b"good morning\nand good night\n"))
    with pytest.raises(BadModel, match=r"bytes that begin with fe dc ba 98"):
        frontend_for(sniff(bytes.fromhex("fedcba9876543210") * 9))


def test_text_graphs(sniff: Sniff) -> None:
    text = b'# made by hand\nnode {\n  name: "x"\n  op: "Placeholder"\n}\n'
    assert sniff(text, "graph.pbtxt").format == "tensorflow/graphdef-text"


def test_deep_nesting_is_no_bomb(sniff: Sniff) -> None:
    nested = b""
    for _ in range(5000):
        nested = _field(5, nested)
    assert sniff(_field(1, _field(1, b"a") + _field(2, b"Const") + nested)).format == "tensorflow/graphdef"


def test_a_zip_that_lies(sniff: Sniff, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\0" * 100)
    data = bytearray(path.read_bytes())
    data[-12:-8] = b"\xff\xff\xff\xff"  # the size of the directory
    assert sniff(bytes(data)).format in ("unknown", "archive/zip", "pytorch/module", "pytorch/state-dict")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2000))
@example(b"\xff" * 100)
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\x80" * 1000)
@example(b"\x0a\x00" * 1000)
def test_random_bytes(sniff: Sniff, data: bytes) -> None:
    _settles(sniff, data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(MUTATED), seed=st.integers(0, 2**32), how=st.sampled_from(["cut", "flip", "splice", "both"])
)
def test_mutated_files(shared: Path, sniff: Sniff, file: str, seed: int, how: str) -> None:
    data, random_ = bytearray((shared / file).read_bytes()), random.Random(seed)
    if how in ("flip", "both"):
        for _ in range(random_.randint(1, 20)):
            data[random_.randrange(min(len(data), 4096) if random_.random() < 0.5 else len(data))] = random_.randrange(
                256
            )
    if how == "splice":
        at = random_.randrange(len(data))
        data[at:at] = random_.randbytes(random_.randint(1, 64))
    if how in ("cut", "both"):
        del data[random_.randrange(len(data)) :]
    _settles(sniff, bytes(data))


def _settles(sniff: Sniff, data: bytes) -> None:
    """An answer, or a refusal that says why."""
    try:
        found = sniff(data)
    except BadModel as error:
        assert "damaged" in error.message
    else:
        assert found.reason


def _field(number: int, payload: bytes) -> bytes:
    length, encoded = len(payload), b""
    while length >= 0x80:
        encoded += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([length]) + payload
