"""What each preset studies: detectors by role, seeds, steps and splits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dirdet.errors import ParameterError


@dataclass(frozen=True)
class Detector:
    """One of the study's detectors.

    Attributes:
        config: a shipped config or a file.
        also: configs whose checkpoints may be used in its place.
        steps: of its training; None for the config's own.
        begins_with: role of the trained detector, of the same seed, whose weights it begins with as far as they fit,
            so that a short fine-tuning does.
        seeds: how many of the preset's seeds it is trained with; None for all.
    """

    config: str
    also: tuple[str, ...] = ()
    steps: int | None = None
    begins_with: str | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Preset:
    """A study.

    Attributes:
        detectors: by role, a name that the tables' rows use.
        seeds: each detector is trained with.
        tune: annotation file that settings are chosen on, below the data set's folder.
        report: annotation file that is reported.
    """

    detectors: Mapping[str, Detector]
    seeds: tuple[int, ...]
    tune: str
    report: str


_ON_SCENES = {
    "plain": Detector("faster_rcnn_lite0_scenes"),
    "faster": Detector(
        "faster_rcnn_dir_lite0_scenes_rivals",
        also=("faster_rcnn_dir_lite0_scenes_judges", "faster_rcnn_dir_lite0_scenes"),
    ),
    "mask": Detector("mask_rcnn_dir_lite0_scenes"),
    "cascade": Detector("cascade_rcnn_dir_lite0_scenes"),
    "dcn": Detector("faster_rcnn_dir_lite0_dcnv2_scenes"),
    "double_head": Detector("double_head_dir_lite0_scenes"),
    "tsd": Detector("tsd_dir_lite0_scenes"),
    "htc": Detector("htc_dir_lite0_scenes", also=("htc_without_semantic_dir_lite0_scenes",)),
}
# Two cores: half of the scenes configs' schedule, so that the whole study fits an afternoon, and less for detectors
# that begin with a trained one.
CPU_STEPS = 600
FINE_TUNING_STEPS = 200

PRESETS: Mapping[str, Preset] = {
    "scenes-cpu": Preset(
        {
            role: replace(detector, steps=CPU_STEPS)
            if role in {"plain", "faster"}
            else replace(detector, steps=FINE_TUNING_STEPS, begins_with="faster", seeds=1)
            for role, detector in _ON_SCENES.items()
        },
        (0, 1, 2),
        "annotations/val.json",
        "annotations/test_hard.json",
    ),
    "scenes-gpu": Preset(_ON_SCENES, (0, 1, 2, 3, 4), "annotations/val.json", "annotations/test_hard.json"),
    "coco": Preset(
        {
            "plain": Detector("faster_rcnn_r50_fpn_1x_coco"),
            "faster": Detector("faster_rcnn_dir_r50_fpn_1x_coco_rivals", also=("faster_rcnn_dir_r50_fpn_1x_coco",)),
            "mask": Detector("mask_rcnn_dir_r50_fpn_1x_coco"),
            "cascade": Detector("cascade_rcnn_dir_r50_fpn_1x_coco"),
            "dcn": Detector("faster_rcnn_dir_r50_dcnv2_fpn_1x_coco"),
            "double_head": Detector("double_head_dir_r50_fpn_1x_coco"),
            "tsd": Detector("tsd_dir_r50_fpn_1x_coco"),
            "htc": Detector("htc_dir_r50_fpn_1x_coco"),
        },
        (0, 1, 2),
        "annotations/instances_val2017.json",
        "annotations/instances_val2017.json",
    ),
}


def narrowed(preset: Preset, chosen: Mapping[str, str | None]) -> Preset:
    """The preset with only some roles, each with a config of its own where one is named.

    A config of one's own has its own schedule.

    Raises:
        ParameterError: there is no such role.
    """
    for role in chosen:
        if role not in preset.detectors:
            raise ParameterError("--detector", f"must be one of {', '.join(preset.detectors)}, not {role!r}")
    return replace(
        preset,
        detectors={
            role: preset.detectors[role] if config is None else Detector(config) for role, config in chosen.items()
        },
    )


def with_config(preset: Preset, config: str) -> tuple[Preset, str]:
    """The preset with a config that a checkpoint is of, in its role, and that role.

    Raises:
        ParameterError: no role of the preset takes that config.
    """
    for role, detector in preset.detectors.items():
        if config == detector.config:
            return preset, role
        if config in detector.also:
            return replace(preset, detectors={**preset.detectors, role: replace(detector, config=config)}), role
    known = dict.fromkeys(name for detector in preset.detectors.values() for name in (detector.config, *detector.also))
    raise ParameterError("--use", f"config must be one of {', '.join(known)}, not {config!r}")
