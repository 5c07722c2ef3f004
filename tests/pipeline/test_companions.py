"""Files that belong together are found by name; where several could be meant, they are listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.companions import companions, gathered

PAIRS = {
    "x.prototxt": "x.caffemodel",
    "x.caffemodel": "x.prototxt",
    "lenet.prototxt": "lenet_iter_10000.caffemodel",
    "lenet_iter_10000.caffemodel": "lenet.prototxt",
    "x-symbol.json": "x-0000.params",
    "x-0000.params": "x-symbol.json",
    "x.cfg": "x.weights",
    "x.weights": "x.cfg",
    "x.ncnn.param": "x.ncnn.bin",
    "x.bin": "x.param",
    "x.pdmodel": "x.pdiparams",
    "x.pdiparams": "x.json",
    "x.json": "x_weights.h5",
    "x_weights.h5": "x.json",
    "predict_net.pb": "init_net.pb",
    "crayon_init.pb": "crayon_predict.pb",
    "model.pb": "model_init.pb",
    "model_init.pb": "model.pb",
    "a[1].cfg": "a[1].weights",
}


@pytest.mark.parametrize(("named", "beside"), PAIRS.items())
def test_pairs(tmp_path: Path, named: str, beside: str) -> None:
    for name in (named, beside, "unrelated.txt", "other.onnx"):
        (tmp_path / name).touch()
    assert [each.name for each in companions(tmp_path / named)] == [beside]


def test_a_checkpoint_is_all_of_its_files(tmp_path: Path) -> None:
    files = ["m.data-00000-of-00002", "m.data-00001-of-00002", "m.index", "m.meta"]
    for name in (*files, "m2.meta", "m2.index"):
        (tmp_path / name).touch()
    for named in files:
        assert sorted(each.name for each in companions(tmp_path / named)) == [each for each in files if each != named]


def test_a_program_of_paddle_1_is_one_file_or_all_of_its_files(tmp_path: Path) -> None:
    for name in ("__model__", "conv.w_0", "conv.b_0"):
        (tmp_path / name).touch()
    assert sorted(each.name for each in companions(tmp_path / "__model__")) == ["conv.b_0", "conv.w_0"]
    (tmp_path / "__params__").touch()
    assert [each.name for each in companions(tmp_path / "__model__")] == ["__params__"]


def test_caffe2_nets_and_what_tells_their_inputs(tmp_path: Path) -> None:
    for name in ("predict_net.pb", "init_net.pb", "value_info.json"):
        (tmp_path / name).touch()
    for named, other in (("predict_net.pb", "init_net.pb"), ("init_net.pb", "predict_net.pb")):
        assert [each.name for each in companions(tmp_path / named)] == [other, "value_info.json"]


def test_an_exact_name_wins(tmp_path: Path) -> None:
    for name in ("x.prototxt", "x.caffemodel", "x_iter_1.caffemodel", "y.caffemodel"):
        (tmp_path / name).touch()
    assert [each.name for each in companions(tmp_path / "x.prototxt")] == ["x.caffemodel"]


def test_several_that_could_be_meant_are_listed(tmp_path: Path) -> None:
    for name in ("x-symbol.json", "x-0001.params", "x-0002.params"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"x-0001.params, x-0002.params") as caught:
        companions(tmp_path / "x-symbol.json")
    assert "folder" in (caught.value.hint or "")
    assert [each.name for each in companions(tmp_path / "x-0002.params")] == ["x-symbol.json"]


def test_a_paddle_program_is_no_keras_architecture(tmp_path: Path) -> None:
    """Where its own parameters lie beside a .json, the weights of other models there are none of its."""
    for name in ("x.json", "x.pdiparams", "one.h5", "other.h5"):
        (tmp_path / name).touch()
    assert companions(tmp_path / "x.json") == [tmp_path / "x.pdiparams"]


def field(number: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content


def tensor(place: bytes) -> bytes:
    return field(5, field(13, field(1, b"location") + field(2, place)) + b"\x70\x01")


def test_an_onnx_file_says_where_its_weights_lie(tmp_path: Path) -> None:
    """Exporters of large models write a file for each tensor, and call it as that."""
    nested = field(1, field(5, tensor(b"onnx__MatMul_7")))
    graph = tensor(b"weights/a.bin") + nested + tensor(b"../outside") + tensor(b"gone")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08" + field(7, graph))
    (tmp_path / "weights").mkdir()
    for name in ("weights/a.bin", "onnx__MatMul_7", "other"):
        (tmp_path / name).touch()
    assert list(gathered(tmp_path / "model.onnx")) == ["model.onnx", "onnx__MatMul_7", "weights/a.bin"]
    (tmp_path / "model.onnx").write_bytes((tmp_path / "model.onnx").read_bytes()[:-3])
    assert list(gathered(tmp_path / "model.onnx")) == ["model.onnx"]


def test_an_onnx_file_is_not_given_what_it_has_no_business_with(tmp_path: Path) -> None:
    names = (b".aws/credentials", b".netrc", b"/etc/passwd", b"n" * 1000, b"a\0b", b"weights.bin")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08" + field(7, b"".join(map(tensor, names))))
    (tmp_path / ".aws").mkdir()
    for name in (".aws/credentials", ".netrc", "weights.bin"):
        (tmp_path / name).touch()
    assert list(gathered(tmp_path / "model.onnx")) == ["model.onnx", "weights.bin"]
