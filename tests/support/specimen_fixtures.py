"""Small detectors with random weights that find something, and requests to them."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from specimens import (
    CLASS_SPECIFIC_CASCADE_CONFIG,
    CLASS_SPECIFIC_TSD_CONFIG,
    DCN_CONFIG,
    DCNV2_DIR_CONFIG,
    HTC_CONFIG,
    MASK_RCNN_CONFIG,
    PLAIN_CONFIG,
    Specimen,
    description_of,
    make_specimen,
    shipped_specimen,
)
from torch import Tensor

from dirdet_export.write.files import Description, write_bundle


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("dir"), "faster_rcnn_dir_lite0_scenes")


@pytest.fixture(scope="session")
def plain_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own: class-specific boxes, adaptive RoIAlign sampling, no DIR."""
    return make_specimen(tmp_path_factory.mktemp("plain"), PLAIN_CONFIG)


@pytest.fixture(scope="session")
def double_head_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Its regressor sees boxes that reach beyond the canvas."""
    return shipped_specimen(tmp_path_factory.mktemp("double_head"), "double_head_dir_lite0_scenes")


@pytest.fixture(scope="session")
def cascade_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("cascade"), "cascade_rcnn_dir_lite0_scenes")


@pytest.fixture(scope="session")
def class_specific_cascade_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Each stage hands the box of its best class to the next."""
    return make_specimen(tmp_path_factory.mktemp("class_specific_cascade"), CLASS_SPECIFIC_CASCADE_CONFIG)


@pytest.fixture(scope="session")
def mask_rcnn_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own: a mask for every class."""
    return make_specimen(tmp_path_factory.mktemp("mask_rcnn"), MASK_RCNN_CONFIG)


@pytest.fixture(scope="session")
def mask_rcnn_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("mask_rcnn_dir"), "mask_rcnn_dir_lite0_scenes", judge=0.1)


@pytest.fixture(scope="session")
def htc_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """MMDetection's own, with its semantic branch and without DIR."""
    return make_specimen(tmp_path_factory.mktemp("htc"), HTC_CONFIG)


@pytest.fixture(scope="session")
def htc_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("htc_dir"), "htc_dir_lite0_scenes", judge=0.1)


@pytest.fixture(scope="session")
def htc_without_semantic_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("htc"), "htc_without_semantic_dir_lite0_scenes", judge=0.1)


@pytest.fixture(scope="session")
def dcn_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Deformable convolutions in the backbone, with strides."""
    return make_specimen(tmp_path_factory.mktemp("dcn"), DCN_CONFIG)


@pytest.fixture(scope="session")
def dcnv2_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Modulated ones, in two groups of offsets."""
    return make_specimen(tmp_path_factory.mktemp("dcnv2_dir"), DCNV2_DIR_CONFIG)


@pytest.fixture(scope="session")
def dcnv2_pyramid_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """In the pyramid instead, down to a map of one pixel."""
    return shipped_specimen(tmp_path_factory.mktemp("dcnv2_pyramid"), "faster_rcnn_dir_lite0_dcnv2_scenes")


@pytest.fixture(scope="session")
def tsd_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """Without DIR; class-specific boxes, adaptive RoIAlign sampling where nothing moves."""
    return make_specimen(tmp_path_factory.mktemp("tsd"), CLASS_SPECIFIC_TSD_CONFIG)


@pytest.fixture(scope="session")
def tsd_dir_specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return shipped_specimen(tmp_path_factory.mktemp("tsd_dir"), "tsd_dir_lite0_scenes")


ARCHITECTURES = [
    "dir", "plain", "double_head", "cascade", "class_specific_cascade", "mask_rcnn", "htc_dir", "tsd", "tsd_dir",
    "dcn", "dcnv2_dir",
]  # fmt: skip


@pytest.fixture(scope="session", params=ARCHITECTURES)
def specimen(request: pytest.FixtureRequest) -> Specimen:
    return request.getfixturevalue(f"{request.param}_specimen")


@pytest.fixture(scope="session")
def describe() -> Callable[..., Description]:
    """What a bundle of a specimen says of itself."""

    return description_of


@pytest.fixture(scope="session")
def bundle_of(
    tmp_path_factory: pytest.TempPathFactory, describe: Callable[..., Description]
) -> Callable[[Specimen], Path]:
    """The folder of a specimen's float32 bundle; written once."""
    written: dict[Path, Path] = {}

    def make(specimen: Specimen) -> Path:
        if specimen.config not in written:
            folder = tmp_path_factory.mktemp("bundle")
            detector = copy.deepcopy(specimen.detector)
            write_bundle(folder, detector=detector, limits=specimen.limits, description=describe(specimen))
            written[specimen.config] = folder
        return written[specimen.config]

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[..., dict[str, Tensor]]:
    """Inputs of a detector by name: smooth random canvases, the picture a little smaller than each."""

    def make(
        batch: int = 1, height: int = 96, width: int = 128, *, score_threshold: float = 0.2, iou_weight: float = 0.5,
        nms_iou_threshold: float = 0.5, seed: int = 0,
    ) -> dict[str, Tensor]:  # fmt: skip
        rng = np.random.default_rng(seed)
        coarse = torch.from_numpy(rng.uniform(0, 255, (batch, 3, 8, 8)).astype(np.float32))
        smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
        sizes = [[height - 3 * number, width - 5 - 2 * number] for number in range(batch)]
        return {
            "canvas": smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous(),
            "picture_hw": torch.tensor(sizes),
            "score_threshold": torch.full((batch,), score_threshold),
            "iou_weight": torch.full((batch,), iou_weight),
            "nms_iou_threshold": torch.tensor(nms_iou_threshold),
        }

    return make
