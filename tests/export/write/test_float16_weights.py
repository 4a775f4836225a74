"""Weights stored as float16 compute what the rounded weights compute."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from dirdet.bundle.bundle import DETECTOR, ROI_STAGE, TRUNK
from dirdet.engines.tensors import CanvasBatch
from dirdet_export.errors import ExportError
from dirdet_export.parity.serving import TwoPartEngine
from dirdet_export.write.files import write_bundle
from dirdet_export.write.float16_weights import round_weights


def test_rounding_leaves_biases_and_normalisation(dir_specimen: Any) -> None:
    model = copy.deepcopy(dir_specimen.model)
    round_weights(model)
    for (name, before), after in zip(dir_specimen.model.named_parameters(), model.parameters(), strict=True):
        expected = before.half().float() if before.ndim > 1 else before
        assert torch.equal(after, expected), name


def test_a_weight_beyond_float16_is_refused_by_name() -> None:
    model = nn.Linear(2, 2)
    nn.init.constant_(model.weight, 7e4)
    with pytest.raises(ExportError, match="weight reaches 70000"):
        round_weights(model)


@pytest.mark.parametrize("name", ["dir", "dcnv2_dir"])
def test_half_the_size_and_the_same_answers(
    name: str,
    request: pytest.FixtureRequest,
    describe: Callable[..., Any],
    ask: Callable[..., Any],
    bundle_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    specimen = request.getfixturevalue(f"{name}_specimen")
    detector = copy.deepcopy(specimen.detector)
    round_weights(detector)
    description = describe(specimen, weights="float16")
    write_bundle(tmp_path, detector=detector, limits=specimen.limits, description=description)
    for file in (DETECTOR, TRUNK, ROI_STAGE):
        assert (tmp_path / file).stat().st_size < 0.6 * (bundle_of(specimen) / file).stat().st_size
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 25e6

    asked = ask(2)
    with torch.no_grad():
        expected = [values.numpy() for values in detector(*asked.values())]
    session = onnxruntime.InferenceSession(str(tmp_path / DETECTOR))
    arrays: dict[str, Any] = {name: values.numpy() for name, values in asked.items()}
    whole: list[Any] = list(session.run(None, arrays))
    parts = TwoPartEngine(tmp_path).detect(CanvasBatch(**arrays))
    apart: list[Any] = [parts.boxes_xyxy, parts.class_id, parts.score, parts.purity, parts.integrity]
    for answer in (whole, apart):
        for actual, wanted in zip(answer, expected, strict=False):
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=0.01)
