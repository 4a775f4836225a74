"""What `dirdet bench all` runs: one entry a measurement, with the goals that it is there for.

A new one is an entry here. It writes a report (`dirdet.bench.report`) with --json, and takes two minutes at most on two
cores: all of them together have half an hour. `{picture}`, `{jpegs}`, `{parts}`, `{data}` and `{trunk}` among the
arguments are what `dirdet.bench.materials` makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """A measurement with few rounds.

    Attributes:
        name: of its report.
        arguments: of `dirdet bench`, its subcommand first.
        goals: in words, for the table where it did not run; none if it only informs.
        limit_s: it is ended after so long.
        programs: that have to be installed.
        packages: as they are imported, that have to be.
        extra: of dirdet, which brings the packages.
        triton: whether it needs a running Triton; `--triton` with its address is added.
    """

    name: str
    arguments: Sequence[str]
    goals: Sequence[str] = ()
    limit_s: float = 180
    programs: Sequence[str] = ()
    packages: Sequence[str] = ()
    extra: str = ""
    triton: bool = False


_TRAIN = {"packages": ("torch", "mmdet"), "extra": "train"}
_SCENES = ("faster_rcnn_dir_lite0_scenes", "--data", "{data}", "--weights", "{trunk}")

PLANNED: Sequence[Planned] = (
    Planned(
        "start",
        ("start", "--rounds", "3"),
        ("dirdet serve is ready within 2 s", "import dirdet takes at most 0.3 s", "at most 300 MB idle"),
        packages=("psutil",),
        extra="bench",
    ),
    # Its first run compiles mmcv's Soft-NMS.
    Planned(
        "nms",
        ("nms", "--rounds", "5"),
        ("ranked NMS at most 1.1 of torchvision's", "Soft-NMS at most 0.1 of mmcv's"),
        limit_s=300,
        **_TRAIN,
    ),
    Planned("train", ("train", *_SCENES, "--rounds", "8"), ("a step with DIR at most 1.1 of one without",), **_TRAIN),
    Planned("detector", ("detector", *_SCENES, "--rounds", "40"), ("with DIR at most 1.03 of without",), **_TRAIN),
    Planned(
        "batch",
        ("batch", "--pictures", "{parts}", "--rounds", "3"),
        ("a job's pace at least 0.95 of its engine's",),
        packages=("pyarrow",),
        extra="batch",
    ),
    # Its first run installs the other servers.
    Planned(
        "gateway",
        ("gateway", "--pictures", "{jpegs}", "--rounds", "2", "--seconds", "3"),
        ("twice the rate of LitServe and of BentoML", "at least 0.9 of decoding alone"),
        limit_s=420,
        programs=("wrk",),
        packages=("psutil",),
        extra="bench",
    ),
    Planned(
        "overload",
        ("overload", "--seconds", "6"),
        ("at least 0.9 answered in time", "refused within 50 ms", "many sizes at least 0.9 of one size"),
    ),
    Planned(
        "growth",
        ("growth", "{picture}", "--rounds", "2", "--pictures", "8", "--seconds", "0.7"),
        ("a default of the engine and the gateway at least 0.95 of the best value",),
        packages=("onnx",),
        extra="export",
    ),
    Planned(
        "throughput",
        ("throughput", "{picture}", "--seconds", "1", "--precision", "float32"),
        packages=("torch", "onnx"),
        extra="export",
    ),
    Planned(
        "triton",
        ("triton", "{picture}", "--rounds", "10"),
        triton=True,
        packages=("tritonclient",),
        extra="triton",
    ),
)
