"""The presets of the study: detectors by role, seeds, steps and splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dirdet.errors import ParameterError


@dataclass(frozen=True)
class Detector:
    """One of the study's detectors.

    Attributes:
        config: a shipped config or a file.
        also: other configs whose checkpoints may be used.
        steps: the number of training steps; None for the config's own.
        begins_with: role of a trained detector; its weights of the same seed are the initial weights, as far as they
            fit, so that a short fine-tuning is enough.
        seeds: the number of the preset's seeds to train with; None for all.
        settings: changed settings of the config.
    """

    config: str
    also: tuple[str, ...] = ()
    steps: int | None = None
    begins_with: str | None = None
    seeds: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Preset:
    """A study.

    Attributes:
        detectors: the detectors by role, a name that the tables' rows use.
        seeds: the seeds that each detector is trained with.
        tune: annotation file for choosing settings, relative to the data set's folder.
        report: annotation file for the reported figures, relative to the data set's folder.
    """

    detectors: Mapping[str, Detector]
    seeds: tuple[int, ...]
    tune: str
    report: str


_NO_DEFORMATION = {"model.roi_head.deform": False}
_NO_SHIFT = {"model.roi_head.shift": False}
_NO_CONSTRAINT = {"model.roi_head.cls_margin": None, "model.roi_head.reg_margin": None}


def _parts_of_tsd(base: str, tsd: str) -> dict[str, Detector]:
    """Returns TSD without DIR, TSD without each of its parts, and its baseline detector."""
    return {
        "tsd_base": Detector(base),
        "tsd_alone": Detector(tsd),
        "tsd_no_deformation": Detector(tsd, settings=_NO_DEFORMATION),
        "tsd_no_shift": Detector(tsd, settings=_NO_SHIFT),
        "tsd_no_moves": Detector(tsd, settings=_NO_DEFORMATION | _NO_SHIFT),
        "tsd_no_constraint": Detector(tsd, settings=_NO_CONSTRAINT),
    }


_FORESIGHT = {"training": "proposal", "inference": "proposal"}
_ONE_BRANCH = {"model.roi_head.dir_head.type": "IoUHead"}
_THREE_TIMES_THE_RATE = {"optim_wrapper.paramwise_cfg.custom_keys": {"roi_head.dir_head": {"lr_mult": 3.0}}}
# The rows of Tables 3 and 4 that differ in what is trained, by role.
_ROWS: Mapping[str, Mapping[str, object]] = {
    "alone_foresight_iou": {**_ONE_BRANCH, "model.roi_head.sights": _FORESIGHT},
    "alone_foresight": {"model.roi_head.sights": _FORESIGHT},
    "alone_foresight_on_boxes": {"model.roi_head.sights": {"training": "proposal", "inference": "refined"}},
    "alone_dir_on_proposals": {"model.roi_head.sights": {"training": "refined", "inference": "proposal"}},
    "alone_iou": _ONE_BRANCH,
    "alone_iou_3x": {**_ONE_BRANCH, **_THREE_TIMES_THE_RATE},
    "alone_dir": {},
}


def _end_to_end(config: str) -> dict[str, Detector]:
    """Returns a detector for each row of Tables 3 and 4, whose head sends its gradient into the features."""
    return {role: Detector(config, settings=settings) for role, settings in _ROWS.items()}


_ON_SCENES = {
    "plain": Detector("faster_rcnn_lite0_scenes"),
    "faster": Detector(
        "faster_rcnn_dir_lite0_scenes_rivals",
        also=("faster_rcnn_dir_lite0_scenes_judges", "faster_rcnn_dir_lite0_scenes"),
    ),
    "mask": Detector("mask_rcnn_dir_lite0_scenes"),
    "cascade": Detector("cascade_rcnn_dir_lite0_scenes"),
    "dcn": Detector("faster_rcnn_dir_lite0_dcnv1_scenes"),
    "double_head": Detector("double_head_dir_lite0_scenes"),
    "tsd": Detector("tsd_dir_lite0_scenes"),
    "htc": Detector("htc_dir_lite0_scenes", also=("htc_without_semantic_dir_lite0_scenes",)),
}
_ROWS_ON_SCENES = _end_to_end("faster_rcnn_dir_lite0_scenes")
_TSD_ON_SCENES = _parts_of_tsd("faster_rcnn_lite0_scenes", "tsd_lite0_scenes")
# For two cores: half of the scenes configs' schedule, so that the whole study takes an afternoon, and less for
# detectors that start from a trained one.
CPU_STEPS = 600
FINE_TUNING_STEPS = 100
# Every detector whole, on pictures that are not scenes: batches as in the configs of real pictures.
_WHOLE = _ON_SCENES | {"tsd_whole": Detector("tsd_lite0_scenes")} | _ROWS_ON_SCENES
_SMALL_BATCHES = {"train_dataloader.batch_size": 4}
_FROZEN_TRUNK = {"custom_hooks": [{"type": "FreezeDetectorHook", "learning": ["roi_head."]}]}


def _tuned_head(detector: Detector) -> Detector:
    """Makes only the RoI head trainable, on the trunk of the detector without DIR."""
    settings = {**detector.settings, **_FROZEN_TRUNK}
    return replace(detector, steps=FINE_TUNING_STEPS, begins_with="plain", seeds=1, settings=settings)


PRESETS: Mapping[str, Preset] = {
    "scenes-cpu": Preset(
        {
            role: replace(detector, steps=CPU_STEPS)
            if role in {"plain", "faster"}
            else replace(detector, steps=FINE_TUNING_STEPS, begins_with="faster", seeds=1)
            for role, detector in _ON_SCENES.items()
        }
        | {role: _tuned_head(detector) for role, detector in _TSD_ON_SCENES.items()}
        | {"tsd_whole": replace(_WHOLE["tsd_whole"], steps=CPU_STEPS, seeds=1)},
        (0, 1, 2),
        "annotations/val.json",
        "annotations/test_hard.json",
    ),
    "pictures-cpu": Preset(
        {
            role: replace(detector, steps=CPU_STEPS, settings={**detector.settings, **_SMALL_BATCHES})
            for role, detector in _WHOLE.items()
        },
        (0, 1),
        "annotations/val.json",
        "annotations/test.json",
    ),
    "scenes-gpu": Preset(
        _ON_SCENES | _TSD_ON_SCENES | _ROWS_ON_SCENES,
        (0, 1, 2, 3, 4),
        "annotations/val.json",
        "annotations/test_hard.json",
    ),
    "coco": Preset(
        {
            "plain": Detector("faster_rcnn_r50_fpn_1x_coco"),
            "faster": Detector("faster_rcnn_dir_r50_fpn_1x_coco_rivals", also=("faster_rcnn_dir_r50_fpn_1x_coco",)),
            "mask": Detector("mask_rcnn_dir_r50_fpn_1x_coco"),
            "cascade": Detector("cascade_rcnn_dir_r50_fpn_1x_coco"),
            "dcn": Detector("faster_rcnn_dir_r50_dcnv1_fpn_1x_coco"),
            "double_head": Detector("double_head_dir_r50_fpn_1x_coco"),
            "tsd": Detector("tsd_dir_r50_fpn_1x_coco"),
            "htc": Detector("htc_dir_r50_fpn_1x_coco"),
        }
        | _parts_of_tsd("faster_rcnn_r50_fpn_1x_coco", "tsd_r50_fpn_1x_coco")
        | _end_to_end("faster_rcnn_dir_r50_fpn_1x_coco"),
        (0, 1, 2),
        "annotations/instances_val2017.json",
        "annotations/instances_val2017.json",
    ),
}


def narrowed(preset: Preset, chosen: Mapping[str, str | None]) -> Preset:
    """Returns the preset with only some roles and the roles they start from; a role's config may be replaced.

    A replacing config keeps its own schedule and its own initial weights.

    Raises:
        ParameterError: the role is unknown.
    """
    for role in chosen:
        if role not in preset.detectors:
            raise ParameterError("--detector", f"must be one of {', '.join(preset.detectors)}, not {role!r}")
    kept: dict[str, Detector] = {}
    for role, config in chosen.items():
        kept[role] = preset.detectors[role] if config is None else Detector(config)
        beginning = kept[role].begins_with
        if beginning is not None and beginning not in chosen:
            kept[beginning] = preset.detectors[beginning]
    return replace(preset, detectors=kept)


def with_config(preset: Preset, config: str) -> tuple[Preset, str]:
    """Returns the preset with a checkpoint's config in its role, and that role.

    Raises:
        ParameterError: no role of the preset accepts that config.
    """
    for role, detector in preset.detectors.items():
        if config == detector.config:
            return preset, role
        if config in detector.also:
            return replace(preset, detectors={**preset.detectors, role: replace(detector, config=config)}), role
    known = dict.fromkeys(name for detector in preset.detectors.values() for name in (detector.config, *detector.also))
    raise ParameterError("--use", f"config must be one of {', '.join(known)}, not {config!r}")
