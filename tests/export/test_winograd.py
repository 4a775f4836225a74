"""Convolutions by Winograd's algorithm, and the second graph of a bundle that has them."""

import functools
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from dirdet.bundle import DETECTOR, DETECTOR_CPU, TRUNK, Bundle
from dirdet.engines.factory import make_engine
from dirdet.engines.onnx_module import import_onnxruntime
from dirdet.tensors import CanvasBatch
from dirdet_export.files import write_bundle
from dirdet_export.graph.winograd import WinogradConv, fits, with_winograd


@pytest.mark.parametrize("size", [(4, 4), (8, 20), (6, 8), (1, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_same_convolution(size: tuple[int, int], bias: bool):
    torch.manual_seed(0)
    convolution = nn.Conv2d(5, 7, 3, padding=1, bias=bias)
    values = torch.randn(2, 5, *size)
    torch.testing.assert_close(WinogradConv(convolution)(values), convolution(values), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(256, 256, 1), nn.Conv2d(256, 256, 3, stride=2, padding=1), nn.Conv2d(256, 256, 3), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1, groups=2), nn.Conv2d(256, 64, 3, padding=1),
    ],
)  # fmt: skip
def test_others_stay_as_they_are(other: nn.Module):
    assert not fits(other)
    assert fits(nn.Conv2d(256, 256, 3, padding=1))


def test_a_detector_of_few_channels_stays_whole(dir_specimen):
    assert with_winograd(dir_specimen.detector) is None


def test_the_second_graph_finds_the_same_borrows_the_weights_and_is_what_a_cpu_runs(
    dir_specimen, describe: Callable, ask: Callable, tmp_path, monkeypatch
):
    monkeypatch.setattr("dirdet_export.files.with_winograd", functools.partial(with_winograd, min_channels=16))
    limits = dir_specimen.limits
    write_bundle(tmp_path, detector=dir_specimen.detector, limits=limits, description=describe(dir_specimen))
    bundle = Bundle.open(tmp_path)
    whole, cpu = (bundle.file(name).stat().st_size for name in (DETECTOR, DETECTOR_CPU))
    assert cpu < whole / 3
    kinds = [
        [node.op_type for node in onnx.load(str(bundle.file(name))).graph.node]
        for name in (DETECTOR_CPU, DETECTOR, TRUNK)
    ]
    assert ["ConvTranspose" in each for each in kinds] == [True, False, False]

    session = import_onnxruntime("a test").InferenceSession(
        str(bundle.file(DETECTOR)), providers=["CPUExecutionProvider"]
    )
    engine = make_engine(bundle, provider="cpu")
    for batch, height, width in ((1, 96, 160), (2, 128, 96), (1, 64, 224)):
        feeds = {name: each.numpy() for name, each in ask(batch, height, width).items()}
        direct = dict(zip([each.name for each in session.get_outputs()], session.run(None, feeds), strict=True))
        threshold = float(feeds.pop("nms_iou_threshold"))
        found = engine.detect(CanvasBatch(**feeds, nms_iou_threshold=threshold))
        assert found.num_candidates.min() > 3
        np.testing.assert_array_equal(found.num_candidates, direct["num_candidates"])
        np.testing.assert_allclose(found.boxes_xyxy, direct["boxes"], atol=0.1)
        np.testing.assert_allclose(found.score, direct["score"], atol=1e-3)
        np.testing.assert_array_equal(found.kept, direct["kept"])
