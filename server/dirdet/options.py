"""What a request may ask of a detector, and what that means for a given bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from dirdet.bundle import Thresholds
from dirdet.calibration import Calibration
from dirdet.errors import ParameterError
from dirdet.faults import shown


def _split_commas(value: object) -> object:
    """`classes=bird,fish` and `classes=bird&classes=fish` say the same; `classes=` asks for what nobody wants."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    items: list[Any] = [*parts]  # pyright: ignore[reportUnknownArgumentType]
    groups = [[name.strip() for name in str(item).split(",") if name.strip()] for item in items]
    if not all(groups):
        raise PydanticCustomError("no_class", "names no class; leave it out for all classes")
    return [name for group in groups for name in group]


Fraction = Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)]


class DetectOptions(BaseModel):
    """The query of POST /detect and the options of `dirdet detect`; what is absent, the detector decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score_threshold: Fraction = Field(default=None, description="least classification score of a detection")
    nms_iou_threshold: Fraction = Field(
        default=None, description="of two boxes of one class that overlap by more, the less confident goes"
    )
    min_iou: Fraction = Field(
        default=None, description="least iou, the predicted localization confidence, of a detection"
    )
    iou_weight: Fraction = Field(
        default=None, description="w in confidence = score^(1-w) * iou^w; 0 is the plain detector"
    )
    max_detections: int | None = Field(
        default=None, ge=1, description="at most so many, the most confident; never more than the detector's own limit"
    )
    classes: Annotated[list[str], BeforeValidator(_split_commas)] = Field(
        default_factory=list, description="only these: names or class_ids, comma-separated or repeated"
    )
    candidates: bool = Field(
        default=False,
        description="also tell the boxes before NMS, with which a client ranks again without detecting again",
    )

    @classmethod
    def checked(cls, **values: object) -> "DetectOptions":
        """Options from Python values.

        Raises:
            ParameterError: a value out of its range; names the first.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ParameterError(where, f"{first['msg']}, got {shown(first['input'])}") from exc


@dataclass(frozen=True, slots=True)
class Settings:
    """Options with the bundle's defaults filled in and its class names looked up.

    Attributes:
        class_ids: the wanted classes, or None for all.
        candidates: whether the boxes before NMS are told too.
    """

    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    min_iou: float | None
    max_detections: int
    class_ids: frozenset[int] | None
    candidates: bool = False


class Named(Protocol):
    """A class of objects."""

    # ruff: noqa: D102 - see dirdet.bundle.Category
    @property
    def name(self) -> str: ...
    @property
    def category_id(self) -> int: ...


class Described(Protocol):
    """What options depend on of a detector: a bundle's manifest has it, and so has what a gateway tells."""

    # ruff: noqa: D102 - see dirdet.bundle.Manifest
    @property
    def name(self) -> str: ...
    @property
    def localization_confidence(self) -> str | None: ...
    @property
    def defaults(self) -> Thresholds: ...
    @property
    def max_detections(self) -> int: ...
    @property
    def categories(self) -> Sequence[Named]: ...
    @property
    def calibration(self) -> Calibration | None: ...


def settle(options: DetectOptions, manifest: Described) -> Settings:
    """What the options mean for this detector.

    Raises:
        ParameterError: a class it does not know; iou asked of a detector that predicts none.
    """
    plain = manifest.localization_confidence is None
    if plain and options.min_iou is not None:
        raise ParameterError(
            "min_iou", f"detector {manifest.name!r} predicts no localization confidence to compare with"
        )
    if plain and options.iou_weight:
        raise ParameterError(
            "iou_weight", f"detector {manifest.name!r} predicts no localization confidence; expected 0 or nothing"
        )
    defaults = manifest.defaults

    def chosen(value: float | None, default: float) -> float:
        return default if value is None else value

    return Settings(
        score_threshold=chosen(options.score_threshold, defaults.score_threshold),
        nms_iou_threshold=chosen(options.nms_iou_threshold, defaults.nms_iou_threshold),
        iou_weight=0.0 if plain else chosen(options.iou_weight, defaults.iou_weight),
        min_iou=options.min_iou,
        max_detections=min(options.max_detections or manifest.max_detections, manifest.max_detections),
        class_ids=_class_ids(options.classes, manifest),
        candidates=options.candidates,
    )


def _class_ids(wanted: list[str], manifest: Described) -> frozenset[int] | None:
    if not wanted:
        return None
    known = {str(class_id): class_id for class_id in range(len(manifest.categories))}
    known |= {category.name: class_id for class_id, category in enumerate(manifest.categories)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        names = ", ".join(category.name for category in manifest.categories)
        raise ParameterError(
            "classes",
            f"no class {', '.join(map(repr, unknown))} in detector {manifest.name!r}; "
            f"expected of {names}, or 0 to {len(manifest.categories) - 1}",
        )
    return frozenset(known[name] for name in wanted)
