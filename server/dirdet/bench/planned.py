"""What `dirdet bench all` runs: one entry a measurement, with the goals that it is there for.

A new one is an entry here. It writes a report (`dirdet.bench.report`) with --json, and takes two minutes at most on two
cores: all of them together have half an hour. `{picture}`, `{jpegs}`, `{parts}`, `{data}` and `{trunk}` among the
arguments are what `dirdet.bench.materials` makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Packages, as they are imported, by which an extra is known to be installed.
EXTRAS: Mapping[str, Sequence[str]] = {
    "batch": ("pyarrow",),
    "bench": ("psutil",),
    "export": ("torch", "mmdet", "onnx"),
    "train": ("torch", "mmdet"),
    "triton": ("tritonclient",),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A measurement with few rounds.

    Attributes:
        name: of its report.
        arguments: of `dirdet bench`, its subcommand first.
        goals: in words, for the table where it did not run; none if it only informs.
        limit_s: it is ended after so long.
        programs: that have to be installed.
        extra: of dirdet, that has to be installed; see EXTRAS.
        triton: whether it needs a running Triton; `--triton` with its address is added.
    """

    name: str
    arguments: Sequence[str]
    goals: Sequence[str] = ()
    limit_s: float = 180
    programs: Sequence[str] = ()
    extra: str = ""
    triton: bool = False


_SCENES = ("faster_rcnn_dir_lite0_scenes", "--data", "{data}", "--weights", "{trunk}")

_RESNET = "faster_rcnn_dir_r50_fpn_1x_coco"
_AGAINST_ENGINE = tuple(
    word for name in ("dirdet without DIR", "MMDetection", "stock ONNX Runtime") for word in ("--against", name)
)

PLANNED: Sequence[Planned] = (
    Planned(
        "start",
        ("start", "--rounds", "3"),
        ("dirdet serve is ready within 2 s", "import dirdet takes at most 0.3 s", "at most 300 MB idle"),
        extra="bench",
    ),
    # Its first run compiles mmcv's Soft-NMS.
    Planned(
        "nms",
        ("nms", "--rounds", "5"),
        ("ranked NMS at most 1.1 of torchvision's", "Soft-NMS at most 0.1 of mmcv's"),
        limit_s=300,
        extra="train",
    ),
    Planned(
        "train", ("train", *_SCENES, "--rounds", "8"), ("a step with DIR at most 1.1 of one without",), extra="train"
    ),
    Planned(
        "training",
        ("train", *_SCENES, "--rounds", "2", "--against", "stock"),
        ("at least 1.3 of MMDetection's pictures a second", "an iteration with DIR at most 1.1 of one without"),
        limit_s=240,
        extra="train",
    ),
    Planned("detector", ("detector", *_SCENES, "--rounds", "40"), ("with DIR at most 1.03 of without",), extra="train"),
    Planned(
        "batch",
        ("batch", "--pictures", "{parts}", "--rounds", "3"),
        ("a job's pace at least 0.95 of its engine's",),
        extra="batch",
    ),
    # Its first run installs the other servers.
    Planned(
        "gateway",
        ("gateway", "--pictures", "{jpegs}", "--rounds", "2", "--seconds", "3"),
        ("twice the rate of LitServe and of BentoML", "at least 0.9 of decoding alone"),
        limit_s=420,
        programs=("wrk",),
        extra="bench",
    ),
    Planned(
        "overload",
        ("overload", "--rounds", "1", "--seconds", "6"),
        ("at least 0.9 answered in time", "refused within 50 ms", "many sizes at least 0.9 of one size"),
    ),
    Planned(
        "growth",
        ("growth", "{picture}", "--rounds", "2", "--pictures", "8", "--seconds", "0.7"),
        ("each default at least 0.95 of the best value",),
        limit_s=240,
        extra="export",
    ),
    Planned(
        "engine",
        ("engine", _RESNET, "--pictures", "{picture}", "--rounds", "3", *_AGAINST_ENGINE),
        (
            "ResNet-50 twice as fast as MMDetection",
            "never slower than stock ONNX Runtime",
            "with DIR at most 1.03 of without",
        ),
        limit_s=300,
        extra="export",
    ),
    Planned(
        "roofline",
        ("roofline", "{picture}", "--rounds", "3"),
        ("the trunk at least 0.8 of the machine's multiplications", "the whole at least 0.7"),
        extra="export",
    ),
    Planned("roi_stage", ("roi-stage", "{picture}", "--rounds", "3"), extra="export"),
    Planned("decode", ("decode", "{picture}", "--seconds", "0.5", "--rounds", "2")),
    Planned(
        "throughput",
        ("throughput", "{picture}", "--seconds", "1", "--precision", "float32"),
        extra="export",
    ),
    Planned(
        "triton",
        ("triton", "{picture}", "--rounds", "10"),
        triton=True,
        extra="triton",
    ),
)
