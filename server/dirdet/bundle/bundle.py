"""The bundle: a folder with an exported detector and its manifest."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from dirdet.bundle.interpolation import ANTIALIASED, DECODE_MEANING, Decode, Interpolation
from dirdet.detection.calibration import Calibration
from dirdet.detection.selection import NMS_MEANING, Nms, Selection
from dirdet.errors import BundleError, first_fault, shown
from dirdet.files import open_regular, read_regular, write_whole
from dirdet.untrusted_text import portable

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"
DETECTOR = "detector.onnx"
TRUNK = "trunk.onnx"
# The trunk that computes in float16 and gives its outputs so; not every bundle has one.
TRUNK_FLOAT16 = "trunk_float16.onnx"
ROI_STAGE = "roi_stage.safetensors"
MODEL_CARD = "README.md"
# Of bundle.json: some 100 bytes for a class.
MOST_MANIFEST_BYTES = 2**24
# Of a canvas: the first layers of a small network take some hundred bytes a pixel.
MOST_SIDE, MOST_CANVAS_PIXELS = 2**14, 2**25
Side = Annotated[int, Field(gt=0, le=MOST_SIDE)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Category(_Part):
    """One class: its position is its class_id."""

    name: str = Field(description="as the data set has it")
    # What JSON's readers and Parquet hold.
    category_id: int = Field(ge=-(2**53), le=2**53, description="the data set's own number")


class CanvasSize(_Part):
    """A canvas in pixels; both sides are multiples of 32."""

    height: int = Field(gt=0, le=MOST_SIDE, multiple_of=32, description="pixels")
    width: int = Field(gt=0, le=MOST_SIDE, multiple_of=32, description="pixels")

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.height * self.width > MOST_CANVAS_PIXELS:
            raise ValueError(f"a canvas has at most {MOST_CANVAS_PIXELS} pixels")
        return self


class ResizeRule(_Part):
    """Scales a picture and places it at the canvas's top left.

    The scale keeps the aspect ratio and is the largest for which the longer side is at most `long_side` and the shorter
    at most `short_side`, unless `fixed_hw` or `factor` is set. If no canvas holds the result, the scale is smaller.
    """

    short_side: int = Field(gt=0, le=2**31, description="pixels")
    long_side: int = Field(gt=0, le=2**31, description="pixels")
    interpolation: Interpolation = Field(
        description="antialiased: Pillow's BILINEAR resize; bilinear: an affine map by Pillow between four neighbours; "
        "opencv_*, pillow_*: that library's resize by the interpolation of this name"
    )
    fixed_hw: tuple[Side, Side] | None = Field(
        default=None,
        description="height and width of every resized picture; null: the aspect ratio is kept",
    )
    factor: PositiveFloat | None = Field(
        default=None, le=1024, description="scale of every picture; null: as the sides allow"
    )
    keep_ratio: bool = Field(default=True, description="false: with `factor`, each side is rounded by itself")
    rounds_down: bool = Field(default=False, description="sides are rounded down instead of to the nearest pixel")
    canvas_multiple: PositiveInt | None = Field(
        default=None,
        le=1024,
        description="each picture's canvas has its own sides, rounded up to multiples of this; `canvases` are then the "
        "largest; null: the canvas is the smallest of `canvases` that holds it",
    )


class Thresholds(_Part):
    """Defaults of a request's parameters."""

    score_threshold: float = Field(ge=0, le=1, description="least score of a detection")
    nms_iou_threshold: float = Field(
        ge=0, le=1, description="of two boxes of one class with a higher IoU, NMS keeps the more confident"
    )
    iou_weight: float = Field(ge=0, le=1, description="w in confidence = score^(1-w) * iou^w")
    nms: Nms = Field(default="per-class", description=NMS_MEANING)
    decode: Decode = Field(default="exact", description=DECODE_MEANING)


class TensorSpec(_Part):
    """One input or output of detector.onnx; a dimension is a number or a letter (DESIGN: B, H, W, M, D)."""

    name: str = Field(description="as the graph names it")
    dtype: str = Field(description="of its values, as numpy names it")
    shape: list[int | str] = Field(description="each dimension, a letter where it varies")
    unit: str = Field(description="what a value is")


class Provenance(_Part):
    """Origin of the detector."""

    config: str = Field(description="name of the config it was trained with")
    checkpoint_sha256: str = Field(description="of the file of weights")
    created: str = Field(description="ISO 8601, UTC")
    versions: dict[str, str] = Field(description="of the packages that exported it")
    weights_dtype: Literal["float32", "float16"] = Field(
        default="float32", description="in which the weights are stored"
    )


class Manifest(_Part):
    """bundle.json."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="of this file's form")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="of the detector, in addresses and answers")
    architecture: str = Field(description="detector, backbone, neck and heads, for people")
    localization_confidence: Literal["dir"] | None = Field(
        description="dir: the detector predicts purity and integrity; null: a plain detector"
    )
    categories: Annotated[list[Category], FailFast()] = Field(min_length=1, description="the classes, by class_id")
    canvases: Annotated[list[CanvasSize], FailFast()] = Field(min_length=1, description="the buckets, smallest first")
    resize: ResizeRule = Field(description="how a picture comes onto its canvas")
    max_candidates: int = Field(gt=0, le=2**31, description="M: most boxes of a picture before NMS")
    max_detections: int = Field(gt=0, le=2**31, description="D: most boxes of a picture after NMS")
    defaults: Thresholds = Field(description="of a request that names none")
    selection: Selection | None = Field(
        default=None, description="steps of the ranked NMS; null: the network's own NMS, by the confidence, is all"
    )
    mask_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="a pixel belongs to an object if its probability is at least this; null: the detector has no masks",
    )
    inputs: Annotated[list[TensorSpec], FailFast()] = Field(description="of detector.onnx")
    outputs: Annotated[list[TensorSpec], FailFast()] = Field(description="of detector.onnx")
    provenance: Provenance = Field(description="where the detector comes from")
    quality: dict[str, float] = Field(default_factory=dict, description="measured figures by name, e.g. AP")
    calibration: Calibration | None = Field(default=None, description="what `dirdet calibrate` found")
    limitations: str = Field(default="", description="what the detector cannot do, for GET /detector")
    files: dict[str, str] = Field(description="sha256 of every other file of the bundle, by name")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        margin = None if self.calibration is None else self.calibration.box_margin
        if margin is not None and margin.missing and self.localization_confidence is None:
            raise ValueError("calibration.box_margin.missing needs a detector that predicts integrity")
        if self.selection is not None and (self.localization_confidence is None or self.mask_threshold is not None):
            raise ValueError(
                "selection needs a detector that predicts integrity, and no masks: they are of boxes before"
            )
        if self.defaults.decode == "scaled" and self.resize.interpolation not in ANTIALIASED:
            raise ValueError(
                f"defaults.decode 'scaled' needs a resize that reads every pixel; found {self.resize.interpolation!r}"
            )
        return self


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Bundle:
    """An opened bundle whose manifest and file hashes were checked.

    Attributes:
        folder: where the bundle's files are.
        manifest: bundle.json.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> "Bundle":
        """Reads bundle.json and compares every file with its hash.

        Raises:
            BundleError: no bundle, an unknown schema version, or a file that is missing or differs.
        """
        path = folder / MANIFEST
        raw = _manifest_json(folder)
        version: Any = cast(dict[str, Any], raw).get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise BundleError(f"{path}: schema_version is {shown(version)}, this dirdet reads {SCHEMA_VERSION}")
        try:
            manifest = Manifest.model_validate(raw)
        except ValidationError as exc:
            raise BundleError(f"{path}: {first_fault(exc)}") from exc
        for name, expected in manifest.files.items():
            file = folder / name
            if Path(name).name != name or portable(name) != name:
                raise BundleError(f"{path}: file name {name!r} leaves the bundle")
            if not file.is_file():
                raise BundleError(f"{file} is missing; {MANIFEST} names it")
            actual = sha256_of(file)
            if actual != expected:
                raise BundleError(f"{file}: sha256 is {actual}, {MANIFEST} says {expected}")
        return cls(folder, manifest)

    def file(self, name: str) -> Path:
        """Path of one of the bundle's files.

        Raises:
            BundleError: the bundle has no such file.
        """
        if name not in self.manifest.files:
            raise BundleError(
                f"{self.folder}: no {name} in this bundle; it has {', '.join(self.manifest.files)}; `dirdet export "
                "--for` says which engines a bundle is for"
            )
        return self.folder / name

    def model_card(self) -> str | None:
        """The bundle's README.md, Markdown; None if it has none.

        Raises:
            BundleError: it cannot be read.
        """
        if MODEL_CARD not in self.manifest.files:
            return None
        try:
            return read_regular(self.file(MODEL_CARD), most_bytes=MOST_MANIFEST_BYTES).decode()
        except (OSError, UnicodeDecodeError) as exc:
            raise BundleError(f"{self.folder / MODEL_CARD} cannot be read: {exc}") from exc


def _manifest_json(folder: Path) -> Any:  # noqa: ANN401 - JSON
    path = folder / MANIFEST
    try:
        return from_json(read_regular(path, most_bytes=MOST_MANIFEST_BYTES))
    except FileNotFoundError as exc:
        found = f"is not a bundle: it has no {MANIFEST}" if folder.exists() else "does not exist; expected a bundle"
        raise BundleError(f"{folder} {found}") from exc
    except NotADirectoryError as exc:
        raise BundleError(f"{folder} is a file; expected the folder of a bundle") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path} cannot be read: {exc}") from exc


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes bundle.json. It is the last step of an export, so that an incomplete folder is not a valid bundle."""
    text = manifest.model_dump_json(indent=2) + "\n"
    write_whole(folder / MANIFEST, lambda file: file.write(text.encode()))
