"""Memory of the pyramids between trunk and RoI stage, which Triton's pool must hold."""

import pytest

from dirdet.bundle.bundle import Bundle, CanvasSize
from dirdet.bundle.shipped import open_bundle
from dirdet.engines.triton.model_tensors import Tensor
from dirdet.engines.triton.repository.config import RepositoryOptions, detector_config
from dirdet.engines.triton.repository.memory_pool import POOL, pool_bytes, pyramid_bytes
from dirdet.engines.triton.repository.pbtxt import render
from dirdet.engines.triton.repository.trunk import TrunkOutputs, trunk_outputs

MIB = 1024 * 1024
# Faster R-CNN R50-FPN: strides of five levels, of which the RoI stage pools from four; three anchors a place.
STRIDES, POOLED, CHANNELS, ANCHORS = (4, 8, 16, 32, 64), 4, 256, 3


def r50(*canvases: tuple[int, int], dtype: str = "TYPE_FP32") -> TrunkOutputs:
    """Outputs of R50-FPN's trunk on canvases of such heights and widths."""
    kinds = [("level", CHANNELS, POOLED), ("objectness", ANCHORS, 5), ("deltas", 4 * ANCHORS, 5)]
    tensors = [
        Tensor(f"{name}_{level}", dtype, (channels, -1, -1))
        for name, channels, levels in kinds
        for level in range(levels)
    ]
    dims_on = {
        CanvasSize(height=height, width=width): [
            (channels, -(-height // stride), -(-width // stride))
            for _, channels, levels in kinds
            for stride in STRIDES[:levels]
        ]
        for height, width in canvases
    }
    return TrunkOutputs(tensors, dims_on)


def test_a_batch_of_r50_is_far_beyond_tritons_default() -> None:
    trunk = r50((800, 1344))
    [dims] = trunk.dims_on.values()
    assert CHANNELS * dims[0][1] * dims[0][2] * 4 / MIB == pytest.approx(65.6, abs=0.05), "level 0 alone"
    assert pyramid_bytes(trunk) / MIB == pytest.approx(92, abs=0.5)
    assert 8 * pyramid_bytes(trunk) / MIB == pytest.approx(738, abs=0.5)
    # One batch is written while the batch before is read.
    assert pool_bytes(trunk, max_batch=8, instances=1) == 2 * 8 * pyramid_bytes(trunk)
    assert pool_bytes(trunk, max_batch=16, instances=3) == 2 * 16 * 3 * pyramid_bytes(trunk)


def test_the_largest_canvas_counts_and_float16_halves_it() -> None:
    small, both = r50((64, 64)), r50((64, 64), (800, 1344))
    assert pyramid_bytes(both) == pyramid_bytes(r50((800, 1344))) > pyramid_bytes(small) > 0
    assert pyramid_bytes(r50((800, 1344), dtype="TYPE_FP16")) * 2 == pyramid_bytes(both)


def test_the_ensemble_says_it() -> None:
    bundle: Bundle = open_bundle()
    trunk, options = trunk_outputs(bundle), RepositoryOptions(instances=2)
    config = render(detector_config(bundle.manifest, trunk, options))
    assert POOL in config
    assert f'string_value: "{pool_bytes(trunk, max_batch=8, instances=2)}"' in config
