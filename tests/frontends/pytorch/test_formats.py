"""Every format of PyTorch, made by PyTorch: the import equals the original, and the shapes are what the file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.pytorch import PyTorchFrontend

NETS = Path(__file__).with_name("nets.py")
IMAGE = {"x": {"shape": [1, 3, 16, 16], "dtype": None}}

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("conv", {"x": [1, 3, 16, 16]}, {"output": [1, 5]}),
        ("conv_free", {"x": ["N", 3, 16, 16]}, {"output": ["N", 5]}),
        (
            "several",
            {"x": [1, 4], "more_ids": [1, 3], "more_scale": [1]},
            {"mixed": [1, 4], "parts_0": [1, 4]},
        ),
    ],
)
def test_exported_programs(ran: Run, made: Path, name: str, inputs: Any, outputs: Any) -> None:
    found = ran(made / f"{name}.pt2", "pt2")
    found.check()
    assert (found.shapes("inputs"), found.shapes("outputs")) == (inputs, outputs)


def test_an_archive_of_the_older_layout(ran: Run, made: Path) -> None:
    found = ran(made / "older.pt2", "pt2")
    found.check()
    assert found.shapes("inputs") == {"x": [1, 3, 16, 16]}


def test_free_dims_are_settled_by_hand(ran: Run, made: Path) -> None:
    found = ran(made / "conv_free.pt2", "pt2", dims={"N": 4})
    found.check()
    assert found.shapes("outputs") == {"output": [4, 5]}


def test_dims_that_hang_on_each_other_take_the_other_route(ran: Run, made: Path) -> None:
    with pytest.raises(Unsupported, match="PyTorch's exporter"):
        ran(made / "halves.pt2", "pt2")
    ran(made / "halves.pt2", "pt2", route="trace").check()


def test_one_output_of_several(ran: Run, made: Path) -> None:
    found = ran(made / "several.pt2", "pt2", outputs=("mixed",))
    assert list(found.outputs) == ["mixed"]
    assert list(found.shapes("inputs")) == ["x", "more_scale"]
    found.check()


@pytest.mark.parametrize(("name", "route"), [("traced", "torchscript"), ("traced", "trace"), ("frozen", "torchscript")])
def test_torchscript(ran: Run, made: Path, name: str, route: str) -> None:
    found = ran(made / f"{name}.pt", "torchscript", inputs=IMAGE, route=route)
    found.check()
    assert found.shapes("inputs") == {"x": ["N" if route == "torchscript" else 1, 3, 16, 16]}


def test_a_scripted_program_with_a_loop(ran: Run, made: Path) -> None:
    found = ran(made / "scripted.pt", "torchscript", route="trace")
    found.check()
    assert found.shapes("inputs") == {"x": [1, 6]}
    assert any("found to be 1x6" in note for note in found.notes)


def test_what_a_program_keeps_becomes_inputs_and_outputs(ran: Run, made: Path) -> None:
    with pytest.raises(Unsupported, match="keeps from call to call"):
        ran(made / "stateful.pt", "torchscript")
    random = np.random.default_rng(2)
    samples = {name: random.standard_normal((4, 1, 4)).astype(np.float32) for name in ("x", "sum")}
    found = ran(made / "stateful.pt", "torchscript", route="trace", samples=samples)
    found.check()
    assert list(found.shapes("outputs")) == ["output", "sum_out"]
    # The same program again with another state: what was fed counts, not what the last call left.
    other = ran(made / "stateful.pt", "torchscript", route="trace", samples={**samples, "sum": samples["sum"] * 0})
    assert not np.allclose(other.reference["output"], found.reference["output"])


def test_a_number_that_the_program_takes(ran: Run, made: Path) -> None:
    with pytest.raises(Unsupported, match="forward takes 'rate'") as caught:
        ran(made / "numbered.pt", "torchscript")
    assert "--shape rate=" in str(caught.value.hint)
    ran(made / "numbered.pt", "torchscript", route="trace", dims={"rate": 7}).check()


@pytest.mark.parametrize("name", ["plain", "legacy", "nested", "prefixed"])
def test_weights_and_the_code_of_the_network(ran: Run, made: Path, name: str) -> None:
    found = ran(made / f"{name}.pth", "state-dict", NETS, factory="nets:Conv", inputs=IMAGE)
    found.check()
    assert found.shapes("inputs") == {"x": ["N", 3, 16, 16]}
    assert found.shapes("outputs") == {"output": ["N", 5]}


def test_the_factory_may_know_its_inputs(ran: Run, made: Path) -> None:
    found = ran(made / "several.pth", "state-dict", NETS, factory="nets:several")
    found.check()
    assert list(found.shapes("inputs")) == ["x", "more_ids", "more_scale"]


def test_time_is_no_batch(ran: Run, made: Path) -> None:
    found = ran(made / "sequence.pth", "state-dict", NETS, factory="nets:Sequence")
    found.check()
    assert found.shapes("inputs") == {"x": [1, 10, 3]}
    assert any("the batch is fixed to 1" in note for note in found.notes)


def test_a_pickled_module_only_on_the_users_word(ran: Run, made: Path) -> None:
    with pytest.raises(Unsupported, match="executes code when it is read") as caught:
        ran(made / "module.pt", "module", NETS, inputs=IMAGE)
    assert "--unsafe-load" in str(caught.value.hint)
    with pytest.raises(Unsupported, match="needs code that is not in it"):
        ran(made / "module.pt", "module", inputs=IMAGE, unsafe_load=True)
    ran(made / "module.pt", "module", NETS, inputs=IMAGE, unsafe_load=True).check()


@pytest.mark.parametrize(
    ("file", "form", "options", "kind", "message"),
    [
        ("plain.pth", "state-dict", {}, Unsupported, "holds weights and no network: 9 tensors, 302 values .*8x3x3x3"),
        ("lacking.pth", "state-dict", {"factory": "nets:Conv"}, BadModel, "do not fit .* the file lacks head.bias"),
        ("plain.pth", "state-dict", {"factory": "nets:broken"}, Unsupported, r"nets.py:\d+: ValueError: no such width"),
        ("plain.pth", "state-dict", {"factory": "nets:nothing"}, Unsupported, "returns a int, no torch.nn.Module"),
        ("plain.pth", "state-dict", {"factory": "nets:absent"}, Unsupported, "nets has no absent"),
        ("several.pth", "state-dict", {"factory": "nets:Several"}, Unsupported, "shapes of its inputs x, more"),
        ("evil.pth", "state-dict", {"factory": "nets:Conv"}, Unsupported, "executes code when it is read"),
        ("traced.pt", "torchscript", {"inputs": {"y": IMAGE["x"]}}, Unsupported, "there is no input 'y'"),
        ("calls.pt2", "pt2", {}, BadModel, "calls torch.hub.load, which is no operator"),
        ("computes.pt2", "pt2", {}, BadModel, "which is no arithmetic"),
        ("pickled.pt2", "pt2", {}, BadModel, "cannot be read as an ExportedProgram"),
    ],
)
def test_what_is_refused(
    work: Any, made: Path, file: str, form: str, options: Any, kind: type[Exception], message: str
) -> None:
    source = work.source(made / file, NETS)
    call = PyTorchFrontend().import_call(Sniffed(f"pytorch/{form}", "pytorch", file), ImportOptions(**options))
    with pytest.raises(kind, match=message):
        work(call, {"source": source})


def test_the_same_bytes_every_time(ran: Run, made: Path) -> None:
    first, second = (ran(made / "conv_free.pt2", "pt2").ir for _ in range(2))
    for name in ("model.onnx", "contract.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert b"/lib/python" not in (first / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("file", "form", "first"),
    [("plain.pth", "state-dict", "first"), ("conv.pt2", "pt2", "first/conv2d"), ("traced.pt", "torchscript", "_conv")],
)
def test_layers(work: Any, made: Path, file: str, form: str, first: str) -> None:
    frontend, sniffed = PyTorchFrontend(), Sniffed(f"pytorch/{form}", "pytorch", file)
    options = ImportOptions(inputs=IMAGE, factory="nets:Conv" if form == "state-dict" else None)
    source = work.source(made / file, NETS)
    ir, _ = work(frontend.import_call(sniffed, options), {"source": source})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", x=np.ones((1, 1, 3, 16, 16), np.float32))
    given = {"source": source, "imported": ir, "samples": samples}
    out, value = work(frontend.layers_call(sniffed, options), given)
    assert value["layers"][0].startswith(first)
    with np.load(out / "layers.npz") as file_:
        assert file_["0"].shape == (1, 8, 16, 16)
        assert len(file_.files) == len(value["layers"]) >= 3


def test_operators_are_told_by_the_exporter(work: Any) -> None:
    _, value = work(PyTorchFrontend().operators_call(), {})
    operators = value["operators"]
    assert operators["aten.convolution.default"]["support"] == "full"
    assert sum(each["support"] != "none" for each in operators.values()) > 150
