"""How pictures are prepared: as the user says it, and as others' files say it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.errors import UserError
from dlpipe.ir import carried
from dlpipe.ir.contract import PictureSteps
from dlpipe.ir.picture import option, parse_steps

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def test_an_option_says_it_all() -> None:
    text = "bgr,axes=chw,resize=256,fit=cover,filter=bicubic,crop=224x192,scale=1/255,mean=0.5:0.25:0.125,std=2"
    steps = parse_steps(text)
    assert (steps.colour, steps.resize, steps.crop) == ("bgr", (256, 256), (224, 192))
    assert (steps.scale, steps.mean, steps.std) == (1 / 255, (0.5, 0.25, 0.125), (2.0,))
    assert option(steps) == text


@given(
    st.sampled_from(["rgb", "bgr", "grey"]),
    st.sampled_from([1.0, 1 / 255, 1 / 127.5, 255.0, 0.5]),
    st.lists(st.integers(-200, 200), max_size=3),
    st.tuples(st.integers(1, 999), st.integers(1, 999)) | st.none(),
)
def test_an_option_is_read_back(colour: str, scale: float, mean: list[int], size: tuple[int, int] | None) -> None:
    steps = PictureSteps(colour=colour, scale=scale, mean=tuple(mean), resize=size)
    again = parse_steps(option(steps))
    assert again.model_copy(update={"scale": scale}) == steps
    assert again.scale == pytest.approx(scale)


@pytest.mark.parametrize(
    "text", ["rbg", "scale=0", "scale=1/0", "mean=a", "rgb,bgr", "resize=0", "filter=sharp", "std=0:1:1", "crop"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--preprocess"):
        parse_steps(text)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param(  # google/vit-base-patch16-224
            {
                "do_normalize": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
                "resample": 2, "size": 224,
            },
            {
                "colour": "rgb", "resize": (224, 224), "filter": "bilinear", "scale": 1 / 255,
                "mean": (0.5,) * 3, "std": (0.5,) * 3,
            },
            id="ViT",
        ),
        pytest.param(  # openai/clip-vit-base-patch32
            {
                "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_normalize": True,
                "do_resize": True, "resample": 3, "size": {"shortest_edge": 224}, "rescale_factor": 1 / 255,
                "image_mean": list(IMAGENET["mean"]), "image_std": list(IMAGENET["std"]),
            },
            {
                "colour": "rgb", "resize": (224, 224), "fit": "cover", "filter": "bicubic", "crop": (224, 224),
                "scale": 1 / 255, **IMAGENET,
            },
            id="CLIP",
        ),
        pytest.param(  # timm/resnet50.a1_in1k
            {
                "architecture": "resnet50",
                "pretrained_cfg": {
                    "input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center",
                    "mean": list(IMAGENET["mean"]), "std": list(IMAGENET["std"]),
                },
            },
            {
                "colour": "rgb", "resize": (235, 235), "fit": "cover", "filter": "bicubic", "crop": (224, 224),
                "scale": 1 / 255, **IMAGENET,
            },
            id="timm",
        ),
        pytest.param(  # torchvision's ResNet50_Weights.IMAGENET1K_V2.transforms
            {
                "crop_size": [224], "resize_size": [232], "interpolation": "InterpolationMode.BILINEAR",
                "mean": list(IMAGENET["mean"]), "std": list(IMAGENET["std"]),
            },
            {
                "colour": "rgb", "resize": (232, 232), "fit": "cover", "filter": "bilinear", "crop": (224, 224),
                "scale": 1 / 255, **IMAGENET,
            },
            id="torchvision",
        ),
        ({"architectures": ["BertModel"], "vocab_size": 30522}, None),
        ({"image_mean": "many", "image_std": [1]}, None),
        ([1, 2], None),
    ],
)  # fmt: skip
def test_files_of_others(given_: object, expected: dict[str, object] | None) -> None:
    found = carried.from_json(json.dumps(given_))
    assert found == expected
    if found is not None:
        PictureSteps(**found)


def test_properties_of_an_onnx_model() -> None:
    given_ = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"}
    steps = PictureSteps(**(carried.properties(given_) or {}))
    assert (steps.colour, 255 * steps.scale - steps.mean[0], -steps.mean[0]) == ("bgr", pytest.approx(1), -1)
    assert carried.properties({"author": "me"}) is None
