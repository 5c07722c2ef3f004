"""Kaldi nnet3 networks: outputs of Kaldi's own that travel with real files, components against plain numpy, damage."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import BadModel, Unsupported
from dlpipe.frontends.kaldi import KaldiFrontend
from dlpipe.ir import calls

FRONTEND = KaldiFrontend()
CASES = (
    "delay_1_D10_T15_S1",
    "delay_3_D7_T17_S1",
    "delay_5_D15_T24_S1",
    "delay_5_D5_T43_S3",
    "fixed_affine_40x10_T40_S3",
    "lstm_10-4-6_T10_S1_delay1",
    "lstm_12-3-6_T40_S1_delay2",
    "lstm_5-8-16_T20_S3_delay1",
    "lstm_nonlin_10_T34_S1_delay3",
    "lstm_nonlin_7_T23_S1_delay1",
    "lstm_without_lstm_test1",
    "lstm_without_lstm_test2_delay1_S1",
    "lstm_without_lstm_test2_delay3_S1",
    "ngaffine_10x2_T13_S2",
    "ngaffine_12x5_T20_S1_o-1_0_1",
    "ngaffine_12x5_T20_S1_o-1_0_1__identity",
    "ngaffine_23x15_T1_S1",
    "relu_D10_T11",
    "relu_D1_T21",
    "renorm_tgt0.1_D17_T7",
    "renorm_tgt1.0_D20_T35",
)
TOLERANCE = 1e-4  # of the output's range


@dataclass
class Imported:
    work: Any
    source: Path
    ir: Path
    sniffed: Sniffed

    def run(self, **inputs: Any) -> dict[str, Any]:
        """One sample through ONNX Runtime, and through the interpreter, which must agree. Returns the outputs."""
        samples = self.work.new_folder()
        np.savez(samples / "samples.npz", allow_pickle=False, **{name: value[None] for name, value in inputs.items()})
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        given = {"source": self.source, "imported": self.ir, "samples": samples}
        reference, value = self.work(FRONTEND.reference_call(self.sniffed, ImportOptions()), given)
        assert value["kind"] == "own"
        found, wanted = (_load(folder / "outputs.npz") for folder in (out, reference))
        for name in wanted:
            assert _far(found[name], wanted[name]) <= TOLERANCE
        return {name: array[0] for name, array in found.items()}


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    def run(content: bytes | Path, factor: int = 1, **options: Any) -> Imported:
        source = work.new_folder()
        data = content.read_bytes() if isinstance(content, Path) else content
        (source / "final.raw").write_bytes(data)
        if factor != 1:
            (source / "frame_subsampling_factor").write_text(f"{factor}\n")
        sniffed = Sniffed("kaldi/nnet3", "kaldi", "final.raw")
        ir, _ = work(FRONTEND.import_call(sniffed, ImportOptions(**options)), {"source": source})
        return Imported(work, source, ir, sniffed)

    return run


@pytest.fixture(scope="session")
def cases(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kaldi")
    with tarfile.open(shared / "models/tract_kaldi_cases/tract_kaldi_cases.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("case", CASES)
def test_outputs_of_kaldi_itself(cases: Path, imported: Import, case: str) -> None:
    factor = int((cases / case / "subsampling").read_text())
    with np.load(cases / case / "io.npz") as file:
        for form in ("model.raw", "model.raw.txt"):  # binary and text
            found = imported(cases / case / form, factor).run(input=file["input"])
            assert found["output"].shape == file["output"].shape
            assert _far(found["output"], file["output"]) <= TOLERANCE


def test_a_factorised_tdnn(shared: Path, imported: Import) -> None:
    """The reference was computed without edges: rows whose context reaches beyond the utterance are left out."""
    with np.load(shared / "made/kaldi/tdnn_ref.npz") as file:
        x, y = file["x"][0], file["y"][0]
    found = imported(shared / "made/kaldi/tdnn.txt.mdl").run(input=x)["output"]
    assert len(found) == len(x)
    inner = next(at for at in range(len(x)) if _far(found[at : at + len(y)], y) <= TOLERANCE)
    assert 0 < inner < len(x) - len(y)


def _net(component: str, dim: int, reads: str = "input") -> bytes:
    return f"""<Nnet3>
input-node name=input dim={dim}
component-node name=c component=c input={reads}
output-node name=output input=c

<NumComponents> 1
<ComponentName> c {component}
</Nnet3>
""".encode()


def _vector(name: str, values: Any) -> str:
    return f"<{name}> [ {' '.join(str(float(each)) for each in values)} ]"


def _matrix(name: str, values: Any) -> str:
    return f"<{name}> [\n" + "\n".join("  " + " ".join(str(float(x)) for x in row) for row in values) + " ]"


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


R = np.random.default_rng(5).standard_normal
W, B = R((4, 6)).round(3), R(4).round(3)
X = R((5, 6)).astype(np.float32)
STATISTICS = f"{_vector('StatsMean', W[0])} {_vector('StatsVar', W[1] ** 2)}"
RMS = np.sqrt((X**2).mean(1, keepdims=True))
FORMULAS: dict[str, tuple[str, Any]] = {
    "NaturalGradientAffineComponent": (f"{_matrix('LinearParams', W)} {_vector('BiasParams', B)}", X @ W.T + B),
    "LinearComponent": (_matrix("Params", W), X @ W.T),
    "FixedScaleComponent": (_vector("Scales", W[0]), X * W[0]),
    "FixedBiasComponent": (_vector("Bias", W[0]), X + W[0]),
    "PerElementOffsetComponent": (_vector("Offsets", W[0]), X + W[0]),
    "ScaleAndOffsetComponent": (
        f"<Dim> 6 {_vector('Scales', W[0][:3])} {_vector('Offsets', W[1][:3])}",
        X * np.tile(W[0][:3], 2) + np.tile(W[1][:3], 2),
    ),
    "BatchNormComponent": (
        f"<Dim> 6 <BlockDim> 6 <Epsilon> 0.001 <TargetRms> 0.5 <Count> 10 {STATISTICS}",
        (X - W[0]) / np.sqrt(W[1] ** 2 + 0.001) * 0.5,
    ),
    "SigmoidComponent": ("<Dim> 6", _sigmoid(X)),
    "TanhComponent": ("<Dim> 6", np.tanh(X)),
    "SoftmaxComponent": ("<Dim> 6", np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "LogSoftmaxComponent": ("<Dim> 6", X - np.log(np.exp(X).sum(1, keepdims=True))),
    "NormalizeComponent": (
        "<Dim> 6 <TargetRms> 0.7 <AddLogStddev> T",
        np.concatenate([X / RMS * 0.7, np.log(RMS)], 1),
    ),
    "PnormComponent": ("<InputDim> 6 <OutputDim> 3", np.sqrt((X.reshape(5, 3, 2) ** 2).sum(2))),
    "ElementwiseProductComponent": ("<InputDim> 6 <OutputDim> 3", X[:, :3] * X[:, 3:]),
    "SumBlockComponent": ("<InputDim> 6 <OutputDim> 3 <Scale> 2.0", (X[:, :3] + X[:, 3:]) * 2),
    "SumGroupComponent": ("<Sizes> [ 2 4 ]", np.stack([X[:, :2].sum(1), X[:, 2:].sum(1)], 1)),
    "PermuteComponent": ("<ColumnMap> [ 5 3 1 0 2 4 ]", X[:, [5, 3, 1, 0, 2, 4]]),
    "BlockAffineComponent": (
        f"<NumBlocks> 2 {_matrix('LinearParams', W[:, :3])} {_vector('BiasParams', B)}",
        np.concatenate([X[:, :3] @ W[:2, :3].T, X[:, 3:] @ W[2:, :3].T], 1) + B,
    ),
    "NaturalGradientRepeatedAffineComponent": (
        f"<NumRepeats> 2 {_matrix('LinearParams', W[:, :3])} {_vector('BiasParams', B)}",
        np.concatenate([X[:, :3] @ W[:, :3].T + B, X[:, 3:] @ W[:, :3].T + B], 1),
    ),
    "ClipGradientComponent": ("<Dim> 6", X),
    "GeneralDropoutComponent": ("<Dim> 6", X),
    "BackpropTruncationComponent": ("<Dim> 6 <Scale> 0.5", X * 0.5),
    "ConstantFunctionComponent": (f"<InputDim> 6 {_vector('Output', B)}", np.tile(B, (5, 1))),
}


@pytest.mark.parametrize("kind", FORMULAS)
def test_a_component(imported: Import, kind: str) -> None:
    fields, wanted = FORMULAS[kind]
    found = imported(_net(f"<{kind}> {fields} </{kind}>", 6)).run(input=X)["output"]
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_tdnn_component_reads_its_own_frames(imported: Import) -> None:
    weights = R((2, 9)).round(3)
    fields = f"<TimeOffsets> [ -2 0 1 ] {_matrix('LinearParams', weights)} <BiasParams> [ ]"
    found = imported(_net(f"<TdnnComponent> {fields} </TdnnComponent>", 3)).run(input=X[:, :3])["output"]
    padded = X[[0, 0, 0, 1, 2, 3, 4, 4], :3]  # the ends are repeated
    wanted = [np.concatenate([padded[t], padded[t + 2], padded[t + 3]]) @ weights.T for t in range(5)]
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_convolution_over_time_and_height(imported: Import) -> None:
    """Height 3, one filter in, two out, over two frames."""
    weights, bias = R((2, 4)).round(3), R(2).round(3)
    offsets = [(0, 0), (0, 1), (1, -1), (1, 0)]
    fields = (
        "<ConvolutionModel> <NumFiltersIn> 1 <NumFiltersOut> 2 <HeightIn> 3 <HeightOut> 3 <HeightSubsampleOut> 1 "
        f"<Offsets> [ {' '.join(f'{t},{h}' for t, h in offsets)} ] <RequiredTimeOffsets> [ 0 1 ] </ConvolutionModel> "
        f"{_matrix('LinearParams', weights)} {_vector('BiasParams', bias)}"
    )
    kind = "TimeHeightConvolutionComponent"
    with pytest.raises(Unsupported, match="takes zeros"):
        imported(_net(f"<{kind}> {fields.replace('[ 0 1 ]', '[ 0 ]')} </{kind}>", 3))
    found = imported(_net(f"<{kind}> {fields} </{kind}>", 3)).run(input=X[:, :3])["output"]
    padded = X[[0, 1, 2, 3, 4, 4], :3]
    for t in range(5):
        for height in range(3):
            wanted = bias.copy()
            for column, (time, up) in enumerate(offsets):
                if 0 <= height + up < 3:
                    wanted += weights[:, column] * padded[t + time][height + up]
            np.testing.assert_allclose(found[t, 2 * height : 2 * height + 2], wanted, atol=2e-6)


def test_pooling_over_the_utterance(imported: Import) -> None:
    net = b"""<Nnet3>
input-node name=input dim=6
component-node name=extraction component=extraction input=Append(Offset(input, -1), Offset(input, 1))
component-node name=pooling component=pooling input=Round(extraction, 1)
component-node name=after component=after input=Round(pooling, 1)
output-node name=output input=after

<NumComponents> 3
<ComponentName> extraction <StatisticsExtractionComponent>
<InputDim> 12 <InputPeriod> 1 <OutputPeriod> 1 <IncludeVarinance> T
</StatisticsExtractionComponent>
<ComponentName> pooling <StatisticsPoolingComponent>
<InputDim> 25 <InputPeriod> 1 <LeftContext> 0 <RightContext> 10000 <NumLogCountFeatures> 0 <OutputStddevs> T
<VarianceFloor> 1e-10
</StatisticsPoolingComponent>
<ComponentName> after <NoOpComponent> <Dim> 24 </NoOpComponent>
</Nnet3>
"""
    for old, new, says in (
        (b"<InputPeriod> 1 <OutputPeriod>", b"<InputPeriod> 3 <OutputPeriod>", "one frame in 3"),
        (b"<LeftContext> 0 <RightContext> 10000", b"<LeftContext> 10000 <RightContext> 0", "next 0 frames"),
        (b"output input=after", b"output input=Append(after, input)", "last 0 frames"),
    ):
        with pytest.raises(Unsupported, match=says):
            imported(net.replace(old, new))
    found = imported(net).run(input=X)["output"]
    frames = np.concatenate([X[:-2], X[2:]], 1)
    np.testing.assert_allclose(found, np.concatenate([frames.mean(0), frames.std(0)])[None], atol=1e-5)


def test_a_loop_that_runs_backwards(imported: Import) -> None:
    net = b"""<Nnet3>
input-node name=input dim=2
component-node name=b component=b input=Sum(input, Scale(0.5, IfDefined(Offset(b, 1))))
output-node name=output input=b

<NumComponents> 1
<ComponentName> b <NoOpComponent> <Dim> 2 </NoOpComponent>
</Nnet3>
"""
    found = imported(net).run(input=X[:, :2])["output"]
    wanted = X[:, :2].astype(np.float64)
    for t in (3, 2, 1, 0):
        wanted[t] += 0.5 * wanted[t + 1]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_an_ivector_is_one_row_for_all_frames(imported: Import) -> None:
    net = _net("<NoOpComponent> <Dim> 5 </NoOpComponent>", 3, "Append(input, ReplaceIndex(ivector, t, 0))")
    net = net.replace(b"component-node", b"input-node name=ivector dim=2\ncomponent-node", 1)
    found = imported(net).run(input=X[:, :3], ivector=np.array([[7, 8]], np.float32))["output"]
    np.testing.assert_allclose(found[:, 3:], [[7, 8]] * 5)


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"<Nnet3>\ninput-node name=input dim=3\n", BadModel, "ends"),
        (_net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Offset(inputt, 1)"), BadModel, "reads inputt"),
        (_net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Append(input"), BadModel, "closed|ends too early"),
        (_net("<MaxpoolingComponent> <Dim> 3 </MaxpoolingComponent>", 3), Unsupported, "MaxpoolingComponent"),
        (_net("<SigmoidComponent> <Dim> 4 </SigmoidComponent>", 3), BadModel, "takes 4 values a frame and gets 3"),
        (_net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Sum(input, Offset(c, -1))"), BadModel, "IfDefined"),
        (_net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Offset(input, 99999)"), Unsupported, "99999"),
        (_net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Round(input, 3)"), Unsupported, "single frames"),
        (
            _net("<NoOpComponent> <Dim> 3 </NoOpComponent>", 3, "Sum(input, ReplaceIndex(input, t, 0))"),
            Unsupported,
            "for one frame only",
        ),
    ],
)
def test_what_is_refused_says_why(imported: Import, content: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        imported(content)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    case=st.sampled_from([case for case in CASES if "lstm" in case or "renorm" in case]),
    form=st.sampled_from(["model.raw", "model.raw.txt"]),
    seed=st.integers(0, 2**32),
    how=st.sampled_from(["cut", "flip", "splice", "repeat"]),
)
def test_damaged_files(cases: Path, imported: Import, case: str, form: str, seed: int, how: str) -> None:
    """An import, or a refusal that says why; nothing else."""
    data, random_ = bytearray((cases / case / form).read_bytes()), random.Random(seed)
    if how == "cut":
        del data[random_.randrange(len(data)) :]
    for _ in range(random_.randint(1, 8)):
        at = random_.randrange(min(len(data), 1500)) if data else 0
        if how == "flip" and data:
            data[at] = random_.randrange(256)
        if how == "splice":
            data[at:at] = random_.randbytes(random_.randint(1, 16))
        if how == "repeat":
            data[at:at] = data[at : at + random_.randint(1, 200)]
    try:
        imported(bytes(data))
    except (BadModel, Unsupported) as error:
        assert len(error.message) > 10


def _load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _far(found: Any, wanted: Any) -> float:
    return float(np.abs(found - wanted).max() / (np.ptp(wanted) or 1))
