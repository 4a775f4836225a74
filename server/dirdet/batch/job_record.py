"""job.json: the job's identity and state, and the comparison with another command's job."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dirdet.batch.picture_plan import Choice, PlanSummary
from dirdet.bundle.bundle import Bundle
from dirdet.detector.options import Settings
from dirdet.engines.tensors import MAX_BATCH

JOB = "job.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceRecord(_Part):
    kind: str
    named: str = Field(description="as typed")
    pictures: int
    sha256: str = Field(description="of the pictures' names, sizes and ids in their order")
    passed_over: int
    videos: int = 0
    repeated: int
    first_repeated: str | None = None
    limit: int | None
    sample: int | None
    seed: int


class DetectorRecord(_Part):
    name: str
    architecture: str
    localization_confidence: str | None
    checkpoint_sha256: str
    bundle_sha256: str | None = Field(description="of bundle.json, which has the hash of every other file")
    told_sha256: str | None = Field(default=None, description="of a gateway's description of its detector")


class SettingsRecord(_Part):
    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    min_iou: float | None
    max_detections: int
    class_ids: list[int] | None
    tiles: str | None = None
    join: str | None = Field(default=None, description="of tiles")
    nms: str = "per-class"
    decode: str = "exact"


class Identity(_Part):
    """All inputs that determine the numbers."""

    dirdet: str = Field(description="version")
    source: SourceRecord
    detector: DetectorRecord
    engine: str
    settings: SettingsRecord
    part_pictures: int
    batch: int = MAX_BATCH

    def differences(self, other: "Identity") -> list[str]:
        """The differing values, as `settings.min_iou: was 0.5, is none`; the source's spelling does not count."""
        now = dict(leaves(other.model_dump()))
        uncompared = {"source.named", "source.passed_over", "source.videos", "source.repeated", "source.first_repeated"}
        return [
            f"{name}: was {_shown(was)}, is {_shown(now[name])}"
            for name, was in leaves(self.model_dump())
            if was != now[name] and name not in uncompared
        ]


class PartRecord(_Part):
    """A part whose files are written."""

    number: int
    pictures: int
    detections: int
    failures: int
    unreached: int = Field(default=0, description="pictures whose address did not answer; a later run tries them again")
    sha256: dict[str, str] = Field(description="of its files, by their names in the job's folder")


class StageSeconds(_Part):
    """Working time of the stages in one run, and the duration of the run; the stages run concurrently."""

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
    parts: list[PartRecord] = Field(default=[], description="by their numbers; in job.json of schema 1 only")
    finished: bool = False
    seconds: float = Field(default=0.0, description="duration of the job, over all its runs")
    engine_seconds: float = Field(default=0.0, description="of these, with the engine at work")
    last_run_seconds: StageSeconds | None = Field(default=None, description="of the run that finished the job")

    @property
    def part_count(self) -> int:
        return -(-self.identity.source.pictures // self.identity.part_pictures)


def source_record(kind: str, named: str, planned: PlanSummary, choice: Choice) -> SourceRecord:
    """The job's record of its source."""
    return SourceRecord(
        kind=kind, named=named, pictures=planned.pictures, sha256=planned.sha256, **asdict(planned.left_out),
        limit=choice.limit, sample=choice.sample, seed=choice.seed,
    )  # fmt: skip


def detector_record(bundle: Bundle, bundle_sha256: str) -> DetectorRecord:
    """The job's record of its detector."""
    manifest = bundle.manifest
    return DetectorRecord(
        name=manifest.name,
        architecture=manifest.architecture,
        localization_confidence=manifest.localization_confidence,
        checkpoint_sha256=manifest.provenance.checkpoint_sha256,
        bundle_sha256=bundle_sha256,
    )


def settings_record(settings: Settings) -> SettingsRecord:
    """The job's record of its settings."""
    return SettingsRecord(
        score_threshold=settings.score_threshold,
        nms_iou_threshold=settings.nms_iou_threshold,
        iou_weight=settings.iou_weight,
        min_iou=settings.min_iou,
        max_detections=settings.max_detections,
        class_ids=None if settings.class_ids is None else sorted(settings.class_ids),
        tiles=None if settings.tiling is None else str(settings.tiling),
        join=None if settings.tiling is None else settings.join,
        nms=settings.nms,
        decode=settings.decode,
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
