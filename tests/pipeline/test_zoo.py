"""Models of the zoo bring the data that they are measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.zoo import data_of


def test_a_model_of_the_zoo_brings_its_data_and_others_none() -> None:
    found = data_of("zoo:mlperf-tiny-kws")
    assert found is not None
    assert Path(found).name == "features.npz"
    assert Path(found).is_file()
    assert data_of("model.onnx") is None
    with pytest.raises(UserError, match="no model 'nothing'"):
        data_of("zoo:nothing")
