"""Tiles on a real Triton: the joined boxes are those of the engine in this process."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions

from .server import TritonServer


def test_tiles_are_joined_as_here(
    server: TritonServer, embedded: Detector, remote: Callable[..., Detector], photograph: Image.Image
) -> None:
    large = photograph.resize((700, 500))
    options = DetectOptions(tiles="auto", score_threshold=0.3)
    [expected], [found] = (each.detect([large], options) for each in (embedded, remote(server.address)))
    assert len(found) == len(expected) > 1
    assert [each.label for each in found] == [each.label for each in expected]
    np.testing.assert_allclose([each.box_xyxy for each in found], [each.box_xyxy for each in expected], atol=0.5)
