"""A trunk in float16 on a real Triton: the pyramid goes to the RoI stage as float16, and detections stay the same."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

pytest.importorskip("dirdet_export.dissect.anatomy", reason="the extra export is not installed")

from specimens import description_of, shipped_specimen

from dirdet.bundle.bundle import Bundle
from dirdet.engines.factory import make_engine
from dirdet.engines.triton.models import ModelNames
from dirdet.engines.triton.repository.config import DetectorAs, RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.engines.triton.target import TritonTarget
from dirdet_export.parity.pictures import draw_pictures
from dirdet_export.parity.serving import as_canvases
from dirdet_export.write.files import write_bundle

from .server import TritonServer, running


@pytest.mark.parametrize("detector_as", get_args(DetectorAs))
def test_it_detects_the_same(detector_as: DetectorAs, make_server: Callable[..., TritonServer], tmp_path: Path) -> None:
    specimen = shipped_specimen(tmp_path, "faster_rcnn_dir_lite0_scenes")
    folder = tmp_path / "bundle"
    folder.mkdir()
    description = description_of(specimen, fp16_trunk=True)
    write_bundle(folder, detector=copy.deepcopy(specimen.detector), limits=specimen.limits, description=description)
    bundle = Bundle.open(folder)
    repository = tmp_path / "models"
    options = RepositoryOptions(onnxruntime="python", fp16=True, detector_as=detector_as)
    write_repository(bundle, repository, options=options)
    batch = as_canvases([np.asarray(picture)[:160, :224] for _, picture in draw_pictures()[:2]], specimen.limits)
    expected = make_engine(bundle, provider="cpu").detect(batch)
    model = ModelNames(bundle.manifest.name).detector
    with running(make_server(repository, models=[model])) as server:
        engine = make_engine(bundle, triton=TritonTarget(server.address, model, False))
        try:
            found = engine.detect(batch)
        finally:
            engine.close()
    # The surest of each picture: of the others a score at a threshold may fall on either side.
    for index in range(2):
        surest = int(expected.kept[index, 0])
        distance = np.abs(found.boxes_xyxy[index] - expected.boxes_xyxy[index, surest]).max(axis=-1)  # [M]
        nearest = int(distance.argmin())
        assert distance[nearest] < 1.5
        assert abs(found.score[index, nearest] - expected.score[index, surest]) < 0.02
