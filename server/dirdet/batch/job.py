"""job.json: what a job is, and whether another command means the same job."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dirdet.batch.plan import Choice, Planned
from dirdet.bundle import Bundle
from dirdet.detector import MAX_BATCH
from dirdet.options import Settings

JOB = "job.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceTold(_Part):
    """Which pictures."""

    kind: str
    named: str = Field(description="as typed")
    pictures: int
    sha256: str = Field(description="of the pictures' names, sizes and ids in their order")
    passed_over: int
    repeated: int
    limit: int | None
    sample: int | None
    seed: int


class DetectorTold(_Part):
    """Which detector."""

    name: str
    architecture: str
    localization_confidence: str | None
    checkpoint_sha256: str
    bundle_sha256: str | None = Field(description="of bundle.json, which has the hash of every other file")
    told_sha256: str | None = Field(
        default=None, description="of what a gateway tells of its detector, whose bundle is not here"
    )


class SettingsTold(_Part):
    """Which detections."""

    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    min_iou: float | None
    max_detections: int
    class_ids: list[int] | None


class Identity(_Part):
    """All that the numbers depend on."""

    dirdet: str = Field(description="version")
    source: SourceTold
    detector: DetectorTold
    engine: str
    settings: SettingsTold
    part_pictures: int
    batch: int = MAX_BATCH

    def differences(self, other: "Identity") -> list[str]:
        """What differs, as `settings.min_iou: was 0.5, is none`; how the source was typed does not count."""
        now = dict(leaves(other.model_dump()))
        uncompared = {"source.named", "source.passed_over", "source.repeated"}
        return [
            f"{name}: was {_shown(was)}, is {_shown(now[name])}"
            for name, was in leaves(self.model_dump())
            if was != now[name] and name not in uncompared
        ]


class PartTold(_Part):
    """A part that is written."""

    number: int
    pictures: int
    detections: int
    failures: int
    unreached: int = Field(default=0, description="pictures that an address did not give, and may give another time")
    sha256: dict[str, str] = Field(description="of its files, by their names in the job's folder")


class StageSeconds(_Part):
    """How long the stages of one run were at work, and how long it took; the stages work at once."""

    pictures: int
    workers: int = Field(description="threads that read and decode")
    whole: float
    read: float | None = Field(description="reading and decoding, all threads together; none on a cluster")
    engine: float
    write: float


class Job(_Part):
    """A job: job.json, and the parts that parts.jsonl names."""

    schema_version: Literal[1, 2] = 2
    identity: Identity
    parts: list[PartTold] = Field(default=[], description="by their numbers; in job.json of schema 1 only")
    finished: bool = False
    seconds: float = Field(default=0.0, description="that the job has taken, all its runs together")
    engine_seconds: float = Field(default=0.0, description="of these, those in which the engine computed")
    last_run_seconds: StageSeconds | None = Field(default=None, description="of the run that finished the job")

    @property
    def part_count(self) -> int:
        """Of the whole job."""
        return -(-self.identity.source.pictures // self.identity.part_pictures)


def source_told(kind: str, named: str, planned: Planned, choice: Choice) -> SourceTold:
    """What a job says of its source."""
    return SourceTold(
        kind=kind, named=named, pictures=planned.pictures, sha256=planned.sha256, passed_over=planned.passed_over,
        repeated=planned.repeated, limit=choice.limit, sample=choice.sample, seed=choice.seed,
    )  # fmt: skip


def detector_told(bundle: Bundle, bundle_sha256: str) -> DetectorTold:
    """What a job says of its detector."""
    manifest = bundle.manifest
    return DetectorTold(
        name=manifest.name,
        architecture=manifest.architecture,
        localization_confidence=manifest.localization_confidence,
        checkpoint_sha256=manifest.provenance.checkpoint_sha256,
        bundle_sha256=bundle_sha256,
    )


def settings_told(settings: Settings) -> SettingsTold:
    """What a job says of its settings."""
    return SettingsTold(
        score_threshold=settings.score_threshold,
        nms_iou_threshold=settings.nms_iou_threshold,
        iou_weight=settings.iou_weight,
        min_iou=settings.min_iou,
        max_detections=settings.max_detections,
        class_ids=None if settings.class_ids is None else sorted(settings.class_ids),
    )


def leaves(told: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its dotted name."""
    for name, value in told.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield above + name, value


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
