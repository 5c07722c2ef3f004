"""Pictures, TFRecord, RecordIO, LMDB and Parquet, read in the toolchains that have their packages."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.data import picture_call, prepare_call, read_call
from dlpipe.errors import Unsupported, UserError
from dlpipe.ir.picture import parse_steps

MAKING = Path(__file__).parent / "making" / "worker.py"


@dataclass(frozen=True)
class Found:
    value: dict[str, Any]
    labels: dict[str, Any]
    arrays: dict[str, Any]
    notes: list[str]
    out: Path


Read = Callable[..., Found]


@pytest.fixture
def read(bench: Any) -> Read:
    def run(path: Path, **options: Any) -> Found:
        files, call = read_call(str(path), **options)
        data, out, notes = bench.folder(), bench.folder(), list[str]()
        data.mkdir()
        for name, source in files.items():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, data / name)

        def listen(event: Mapping[str, Any]) -> None:
            if event["event"] == "note":
                notes.append(event["message"])

        value = bench.pool.run(call, {"data": data}, out, listen)
        labels = json.loads((out / "labels.json").read_text())
        arrays = dict(np.load(out / "samples.npz")) if (out / "samples.npz").exists() else {}
        return Found(value, labels, arrays, notes, out)

    return run


@pytest.fixture
def make(bench: Any) -> Callable[..., Path]:
    def run(operation: str, toolchain: str = "data", **params: Any) -> Path:
        return Path(bench.run(Call(toolchain, MAKING, operation, params))[1])

    return run


def picture(name: str, mode: str = "RGB", size: tuple[int, int] = (6, 4), kind: str = "PNG") -> dict[str, Any]:
    return {"name": name, "mode": mode, "size": list(size), "seed": len(name), "kind": kind}


def test_real_pictures_of_one_size_are_decoded(shared: Path, tmp_path: Path, read: Read, bench: Any) -> None:
    with tarfile.open(shared / "models" / "cifar10_test_jpg" / "cifar10_test.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    found = read(tmp_path / "test", limit=50, seed=2)
    assert found.value["kind"] == "image"
    assert (found.value["count"], found.value["of"], found.value["labelled"]) == (50, 2500, 50)
    assert len(found.labels["names"]) == 10
    x = found.arrays["x"]
    assert (x.shape, x.dtype) == ((50, 32, 32, 3), np.uint8)
    names = found.labels["items"]
    call = Call("data", MAKING, "pixels", {"names": names})
    pixels = np.load(bench.run(call, files=tmp_path / "test")[1] / "pixels.npz")
    assert all((pixels[name] == x[index]).all() for index, name in enumerate(names))
    assert len(list((found.out / "items").iterdir())) == 50


def test_pictures_of_several_kinds(make: Any, read: Read) -> None:
    kinds = [
        ("a/1.png", "RGBA", "PNG"),
        ("b/2.jpg", "L", "JPEG"),
        ("b/3.bmp", "RGB", "BMP"),
        ("b/4.webp", "RGB", "WEBP"),
    ]
    folder = make("pictures", pictures=[picture(name, mode, kind=kind) for name, mode, kind in kinds])
    found = read(folder)
    assert found.arrays["x"].shape == (4, 4, 6, 3)
    assert (found.arrays["x"][1, ..., 0] == found.arrays["x"][1, ..., 1]).all()  # grey, among coloured ones
    assert found.labels["labels"] == [0, 1, 1, 1]
    grey = read(make("pictures", pictures=[picture("1.png", "L"), picture("2.png", "L")]))
    assert grey.arrays["x"].shape == (2, 4, 6, 1)


def test_pictures_of_other_sizes_stay_files(make: Any, read: Read) -> None:
    found = read(make("pictures", pictures=[picture("a/1.png"), picture("a/22.png", size=(7, 4))]))
    assert found.arrays == {}
    assert "2 sizes (a/1.png 6 x 4, a/22.png 7 x 4)" in found.notes[0]
    assert len(list((found.out / "items").iterdir())) == 2


def test_greys_of_16_bits_are_not_made_white(make: Any, read: Read, bench: Any, tmp_path: Path) -> None:
    """They stay files, for a model that decodes them itself; pixels that are not the training's are made of none."""
    found = read(make("pictures", pictures=[picture("a/1.png", "L"), picture("a/2.png", "I;16")]))
    assert found.arrays == {}
    assert "a/2.png has greys of more than 8 bits" in found.notes[0]
    (tmp_path / "contract.json").write_text('{"inputs": [{"name": "in", "dtype": "float32", "shape": [1, 1, 4, 6]}]}')
    with pytest.raises(Unsupported, match=r"a/2\.png has greys of more than 8 bits"):
        bench.run(picture_call("in", parse_steps("grey"), always=True), ir=tmp_path, data=found.out)


@pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n" + bytes(60)])
def test_a_damaged_picture_is_named(make: Any, read: Read, content: bytes) -> None:
    folder = make("pictures", pictures=[picture("cat/1.png"), picture("cat/2.png")])
    (folder / "cat" / "2.png").write_bytes(content)
    with pytest.raises(UserError, match=r"cat/2\.png"):
        read(folder)
    (folder / "cat" / "2.png").write_bytes((folder / "cat" / "1.png").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"cat/2\.png"):
        read(folder)


def test_pictures_are_turned_for_an_input_with_channels_first(
    make: Any, read: Read, bench: Any, tmp_path: Path
) -> None:
    found = read(make("pictures", pictures=[picture("1.png"), picture("22.png")]))
    for shape, wanted in (([1, 3, 4, 6], found.arrays["x"].transpose(0, 3, 1, 2)), ([1, 4, 6, 3], found.arrays["x"])):
        contract = {"inputs": [{"name": "in", "dtype": "float32", "shape": shape}]}
        (tmp_path / "contract.json").write_text(json.dumps(contract))
        _, out = bench.run(prepare_call(10, 0, ()), ir=tmp_path, data=found.out)
        assert (np.load(out / "samples.npz")["in"][:, 0] == wanted).all()


def test_the_made_tfrecord(shared: Path, read: Read) -> None:
    found = read(shared / "made" / "t.tfrecord")
    assert found.labels["labels"] == [0, 1, 2, 3]
    assert found.arrays["arr"].tolist() == [[1, 2, 3]] * 4
    assert [note for note in found.notes if "'image' was left out: bytes of an unknown kind" in note]


def tfrecord(path: Path, make: Any, labels: list[int]) -> None:
    """As tf.io.TFRecordWriter writes pictures; the checksums by their definition, bit by bit."""
    folder = make("pictures", pictures=[picture(f"{index}.png") for index in range(len(labels))])

    def crc(data: bytes) -> bytes:
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        value ^= 0xFFFFFFFF
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def block(field: int, value: bytes) -> bytes:
        size, head = len(value), bytearray([field << 3 | 2])
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes(head) + bytes([size]) + value

    def feature(name: str, kind: int, value: bytes) -> bytes:
        return block(1, block(1, name.encode()) + block(2, block(kind, block(1, value))))

    records = []
    for index, label in enumerate(labels):
        encoded = feature("image/encoded", 1, (folder / f"{index}.png").read_bytes())
        features = encoded + feature("image/class/label", 3, bytes([label]))
        records.append(block(1, features + feature("size", 2, struct.pack("<f", index / 2))))
    path.write_bytes(
        b"".join(
            struct.pack("<Q", len(each)) + crc(struct.pack("<Q", len(each))) + each + crc(each) for each in records
        )
    )


def test_tfrecord_with_pictures(tmp_path: Path, make: Any, read: Read) -> None:
    tfrecord(tmp_path / "train-00000-of-00001", make, [3, 1, 2])
    found = read(tmp_path / "train-00000-of-00001")
    assert found.labels["labels"] == [3, 1, 2]
    assert found.arrays["x"].shape == (3, 4, 6, 3)
    assert found.arrays["size"].tolist() == [[0], [0.5], [1]]
    content = bytearray((tmp_path / "train-00000-of-00001").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(UserError, match="record 1 is damaged: its checksum"):
        read(tmp_path / "t")
    (tmp_path / "t").write_bytes((tmp_path / "train-00000-of-00001").read_bytes()[:-5])
    with pytest.raises(UserError, match="incomplete"):
        read(tmp_path / "t")


def recordio(contents: list[tuple[float, bytes]]) -> bytes:
    """As mxnet.recordio writes them; content that holds the magic word is cut there."""
    magic, out = struct.pack("<I", 0xCED7230A), b""
    for index, (label, content) in enumerate(contents):
        parts = (struct.pack("<IfQQ", 0, label, index, 0) + content).split(magic)
        for number, part in enumerate(parts):
            flag = 0 if len(parts) == 1 else 1 if number == 0 else 3 if number == len(parts) - 1 else 2
            out += magic + struct.pack("<I", flag << 29 | len(part)) + part + bytes(-len(part) % 4)
    return out


def test_recordio_with_pictures(tmp_path: Path, make: Any, read: Read) -> None:
    folder = make("pictures", pictures=[picture("1.png"), picture("22.png")])
    records = [(1.0, (folder / "1.png").read_bytes()), (0.0, (folder / "22.png").read_bytes())]
    (tmp_path / "t.rec").write_bytes(recordio(records))
    found = read(tmp_path / "t.rec")
    assert found.labels["labels"] == [1, 0]
    assert (found.arrays["x"] == read(folder).arrays["x"]).all()


def test_recordio_with_bytes_that_look_like_a_beginning(tmp_path: Path, read: Read) -> None:
    content = [b"12" + struct.pack("<I", 0xCED7230A) + b"345", b"abcdefghi"]
    (tmp_path / "t.rec").write_bytes(recordio([(2.0, content[0]), (5.0, content[1])]))
    found = read(tmp_path / "t.rec")
    assert [row.tobytes() for row in found.arrays["x"]] == content
    assert found.labels["labels"] == [2, 5]
    (tmp_path / "t.rec").write_bytes(recordio([(2.0, content[0])])[:-6])
    with pytest.raises(UserError, match="damaged or incomplete"):
        read(tmp_path / "t.rec")


def test_the_made_recordio_holds_no_samples_of_one_shape(shared: Path, read: Read) -> None:
    with pytest.raises(UserError, match=r"t\.rec, record 1 is uint8\[20\], and the first one uint8\[13\]"):
        read(shared / "made" / "mxnet191" / "t.rec")


def data_base(folder: Path, kind: str) -> Path:
    """Of five Datums [2, 3, 4], all of value i (or i + 0.5, or a PNG); "large": of 300 [3, 40, 40], so that it has
    branch and overflow pages. Written with py-lmdb 3.0.0."""
    folder.mkdir(exist_ok=True)
    (folder / "data.mdb").write_bytes(gzip.decompress((MAKING.parent / f"{kind}.mdb.gz").read_bytes()))
    return folder


def test_lmdb_of_many_pages(tmp_path: Path, read: Read) -> None:
    found = read(data_base(tmp_path / "d", "large"))
    assert found.labels["labels"] == [index % 10 for index in range(300)]
    assert found.arrays["x"].shape == (300, 3, 40, 40)
    assert (found.arrays["x"] == (np.arange(300) % 251).reshape(-1, 1, 1, 1)).all()


@pytest.mark.parametrize("kind", ["uint8", "float", "encoded"])
def test_lmdb_of_caffe(tmp_path: Path, read: Read, kind: str) -> None:
    folder = data_base(tmp_path / "d", kind)
    found = read(folder)
    assert found.labels["labels"] == [0, 1, 2, 0, 1]
    x = found.arrays["x"]
    if kind == "encoded":
        assert (x.shape, x.dtype) == ((5, 3, 4, 3), np.uint8)
    else:
        assert x.shape == (5, 2, 3, 4)
        assert x[:, 0, 0, 0].tolist() == ([0, 1, 2, 3, 4] if kind == "uint8" else [0.5, 1.5, 2.5, 3.5, 4.5])
    chosen = read(folder / "data.mdb", limit=2, seed=1)
    rows = [int(item.split()[1]) for item in chosen.labels["items"]]
    assert (chosen.arrays["x"] == x[rows]).all()


def test_lmdb_that_is_damaged(tmp_path: Path, read: Read) -> None:
    folder = data_base(tmp_path / "d", "uint8")
    content = (folder / "data.mdb").read_bytes()
    (folder / "data.mdb").write_bytes(content[:20] + bytes(100))
    with pytest.raises(UserError, match=r"data\.mdb is damaged"):
        read(folder)


def test_parquet_of_numbers(make: Any, read: Read) -> None:
    columns = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "label": ["x", "y", "x"], "text": ["k", "l", "m"]}
    found = read(make("table", "parquet", columns=columns) / "t.parquet")
    assert found.arrays["x"].tolist() == [[1, 0.5], [2, 1.5], [3, 2.5]]
    assert (found.labels["names"], found.labels["labels"]) == (["x", "y"], [0, 1, 0])
    assert "'text' was left out" in found.notes[0]


def test_parquet_with_pictures_and_named_classes(make: Any, read: Read) -> None:
    folder = make("table", "parquet", columns={"label": [1, 0, 1]}, pictures=3, names=["cat", "dog"])
    found = read(folder / "t.parquet")
    assert found.value["kind"] == "image"
    assert found.arrays["x"].shape == (3, 4, 5, 3)
    assert (found.labels["names"], found.labels["labels"]) == (["cat", "dog"], [1, 0, 1])


def test_parquet_of_lists_and_damage(make: Any, read: Read) -> None:
    folder = make("table", "parquet", columns={"v": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]})
    assert read(folder / "t.parquet").arrays["x"].tolist() == [[1, 2], [3, 4]]
    content = (folder / "t.parquet").read_bytes()
    (folder / "t.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"t\.parquet is damaged"):
        read(folder / "t.parquet")


@pytest.mark.parametrize("kind", ["tfrecord", "rec", "mdb", "parquet", "png"])
def test_any_mutation_is_read_or_refused(tmp_path: Path, make: Any, read: Read, kind: str) -> None:
    path = tmp_path / f"d.{kind}"
    if kind == "tfrecord":
        tfrecord(path, make, [0, 1, 2])
    elif kind == "rec":
        folder = make("pictures", pictures=[picture("1.png"), picture("22.png")])
        path.write_bytes(recordio([(1.0, (folder / name).read_bytes()) for name in ("1.png", "22.png")]))
    elif kind == "parquet":
        shutil.copy(make("table", "parquet", columns={"label": [1, 0], "a": [1, 2]}, pictures=2) / "t.parquet", path)
    else:
        mdb = kind == "mdb"
        made = data_base(tmp_path / "d", "uint8") if mdb else make("pictures", pictures=[picture("1.png")])
        shutil.copy(made / ("data.mdb" if mdb else "1.png"), path)
    content, chance, refused = path.read_bytes(), random.Random(kind), 0
    for _ in range(40):
        mutated = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated[: chance.randrange(1, len(mutated))] if chance.random() < 0.3 else mutated)
        try:
            read(path)
        except UserError:
            refused += 1
    assert refused > 0
