"""The measurements that `dirdet bench all` runs, each with its goals.

A new measurement is an entry here. It takes at most two minutes on two cores, five rounds where its goals are ratios:
all of them together have twenty minutes. `{picture}`, `{jpegs}`, `{photograph}`, `{parts}`, `{data}` and `{trunk}`
among the arguments are what `dirdet_bench.harness.materials` makes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Modules by which an extra is known to be installed.
EXTRAS: Mapping[str, Sequence[str]] = {
    "batch": ("pyarrow",),
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
        limit_s: seconds after which it is ended.
        programs: that it needs.
        extra: of dirdet that it needs; a key of EXTRAS.
        triton: whether it needs a running Triton; `--triton` with the address is added.
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
        ("start", "--rounds", "5"),
        ("dirdet serve is ready within 2 s", "import dirdet takes at most 0.3 s", "at most 300 MB idle"),
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
        ("train", *_SCENES, "--rounds", "5", "--against", "stock"),
        ("at least 1.3 of MMDetection's pictures a second", "an iteration with DIR at most 1.1 of one without"),
        limit_s=240,
        extra="train",
    ),
    Planned(
        "batch",
        ("batch", "--pictures", "{parts}", "--rounds", "5"),
        ("a job's pace at least 0.95 of its engine's",),
        limit_s=300,
        extra="batch",
    ),
    # Its first run installs the other servers.
    Planned(
        "gateway",
        ("gateway", "--pictures", "{jpegs}", "--rounds", "5", "--seconds", "2"),
        ("twice the rate of LitServe and of BentoML", "at least 0.8 of decoding alone"),
        limit_s=420,
        programs=("wrk",),
    ),
    Planned(
        "overload",
        ("overload", "--rounds", "1", "--seconds", "6"),
        ("at least 0.9 answered in time", "refused within 50 ms", "many sizes at least 0.9 of one size"),
    ),
    Planned(
        "growth",
        ("growth", "{picture}", "--rounds", "5", "--pictures", "8", "--seconds", "0.3"),
        ("each default at least 0.95 of the best value",),
        limit_s=240,
        extra="export",
    ),
    Planned(
        "engine",
        ("engine", _RESNET, "--pictures", "{picture}", "--rounds", "5", *_AGAINST_ENGINE),
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
        ("roofline", "{picture}", "--rounds", "5"),
        ("the trunk at least 0.8 of the machine's multiplications", "the whole at least 0.7"),
        extra="export",
    ),
    Planned(
        "tiles", ("tiles", "{picture}", "--tiles", "160x128", "--rounds", "5"), ("at least 0.9 of the engine's tiles",)
    ),
    Planned(
        "photograph",
        ("photograph", "{photograph}", "--rounds", "5"),
        ("a photograph of 12 megapixels in half the time of decoding it exactly",),
    ),
    Planned("decode", ("decode", "{picture}", "--seconds", "0.5", "--rounds", "2")),
    Planned("throughput", ("throughput", "{picture}", "--seconds", "1", "--precision", "float32"), extra="export"),
    Planned("triton", ("triton", "{picture}", "--rounds", "10"), triton=True, extra="triton"),
)
