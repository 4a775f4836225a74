"""The options of a request, and their meaning for a given bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from dirdet.bundle.bundle import Thresholds
from dirdet.bundle.interpolation import DECODE_MEANING, Decode
from dirdet.detection.calibration import Calibration
from dirdet.detection.selection import NMS_MEANING, Nms
from dirdet.detector.tiles import Tiling
from dirdet.errors import ParameterError, shown


def _split_commas(value: object) -> object:
    """`classes=bird,fish` and `classes=bird&classes=fish` are equivalent; an empty `classes=` is refused."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    items: list[Any] = [*parts]  # pyright: ignore[reportUnknownArgumentType]
    groups = [[name.strip() for name in str(item).split(",") if name.strip()] for item in items]
    if not all(groups):
        raise PydanticCustomError("no_class", "names no class; leave it out for all classes")
    return [name for group in groups for name in group]


def _checked_tiles(text: str) -> str:
    try:
        Tiling.parse(text)
    except ParameterError as exc:
        raise PydanticCustomError("tiles", "{message}", {"message": exc.message}) from exc
    return text


# How boxes of overlapping tiles become one: by integrity (`tile_joining`), or by a rule of SAHI (`tile_joining_sahi`).
JoinRule = Literal["integrity", "nms", "nms_ios", "nmm", "nmm_ios", "greedy_nmm", "greedy_nmm_ios"]
Fraction = Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)]


class DetectOptions(BaseModel):
    """The query of POST /detect and the options of `dirdet detect`; the detector's defaults fill in absent ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score_threshold: Fraction = Field(
        default=None,
        description="least classification score of a detection; defaults.score_threshold of GET /detector if absent",
    )
    nms_iou_threshold: Fraction = Field(
        default=None, description="of two boxes of one class with a higher IoU, the less confident is dropped"
    )
    nms: Nms | None = Field(default=None, description=NMS_MEANING)
    min_iou: Fraction = Field(
        default=None,
        description="least iou, the predicted localization confidence, of a detection; calibration.suggested of "
        "GET /detector names a value that drops wrong detections and at most 1% of the right ones",
    )
    iou_weight: Fraction = Field(
        default=None, description="w in confidence = score^(1-w) * iou^w; 0 is the plain detector"
    )
    max_detections: int | None = Field(
        default=None, ge=1, description="most detections, the most confident ones; the detector's own limit applies too"
    )
    classes: Annotated[list[str], BeforeValidator(_split_commas)] = Field(
        default_factory=list, description="only these classes: names or class_ids, comma-separated or repeated"
    )
    tiles: Annotated[str, AfterValidator(_checked_tiles)] | None = Field(
        default=None,
        description="cut a large picture into overlapping tiles, and join what they show: auto (the size that the "
        "network sees unscaled) or WxH in pixels, and the share that neighbours overlap, as 640x512:0.2",
    )
    join: JoinRule = Field(
        default="integrity",
        description="how boxes of overlapping tiles become one: by predicted integrity, or by a rule of SAHI with "
        "nms_iou_threshold as its threshold",
    )
    decode: Decode | None = Field(default=None, description=DECODE_MEANING)
    candidates: bool = Field(
        default=False,
        description="also return the boxes before NMS, so that a client can rank again without a new detection; not "
        "with tiles",
    )

    @classmethod
    def checked(cls, **values: object) -> "DetectOptions":
        """Options from Python values.

        Raises:
            ParameterError: a value is out of range; names the first.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ParameterError(where, f"{first['msg']}, got {shown(first['input'])}") from exc


@dataclass(frozen=True, slots=True)
class Settings:
    """Options with the bundle's defaults filled in and class names replaced by ids.

    Attributes:
        class_ids: the wanted classes, or None for all.
        candidates: whether the answer has the boxes before NMS too.
        tiling: how the picture is cut; None detects it as a whole.
        join: how boxes of overlapping tiles become one.
        decode: whether JPEGs may be decoded at less than their size; exact with tiles.
    """

    score_threshold: float
    nms_iou_threshold: float
    iou_weight: float
    min_iou: float | None
    max_detections: int
    class_ids: frozenset[int] | None
    candidates: bool = False
    tiling: Tiling | None = None
    join: JoinRule = "integrity"
    nms: Nms = "per-class"
    decode: Decode = "exact"


class Named(Protocol):
    """A class of objects."""

    @property
    def name(self) -> str: ...
    @property
    def category_id(self) -> int: ...


class Described(Protocol):
    """The properties of a detector that options depend on, as in a bundle's manifest or a gateway's GET /detector."""

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
    """Settings of this detector for the options.

    Raises:
        ParameterError: the detector has no such class, or predicts no iou and an option needs it.
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
    if options.tiles is not None and options.candidates:
        raise ParameterError("candidates", "are the boxes of one canvas; expected false with tiles")
    if options.tiles is not None and options.decode == "scaled":
        raise ParameterError("decode", "tiles are cut from all pixels; expected exact, or nothing, with tiles")
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
        tiling=None if options.tiles is None else Tiling.parse(options.tiles),
        join=options.join,
        nms=options.nms or defaults.nms,
        decode="exact" if options.tiles is not None else options.decode or defaults.decode,
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
