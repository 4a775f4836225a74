"""The bundle: a folder with an exported detector that says everything about itself."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dirdet.calibration import Calibration
from dirdet.errors import BundleError
from dirdet.faults import first_fault, shown

SCHEMA_VERSION = 1
MANIFEST = "bundle.json"
DETECTOR = "detector.onnx"
TRUNK = "trunk.onnx"
ROI_STAGE = "roi_stage.pt"
# Of detectors whose trunk.onnx needs an operator that not every ONNX Runtime has.
TRUNK_SCRIPT = "trunk.pt"
MODEL_CARD = "README.md"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Category(_Part):
    """One class: its position is its class_id."""

    name: str
    category_id: int = Field(description="the data set's own number")


class CanvasSize(_Part):
    """A canvas in pixels; both sides are multiples of 32."""

    height: int = Field(gt=0, multiple_of=32)
    width: int = Field(gt=0, multiple_of=32)


class ResizeRule(_Part):
    """How a picture becomes part of a canvas: scaled with its aspect ratio kept, at the canvas's top left.

    The scale is the largest with which the longer side is at most `long_side` and the shorter at most `short_side`.
    """

    short_side: int = Field(gt=0, description="pixels")
    long_side: int = Field(gt=0, description="pixels")
    interpolation: Literal["antialiased", "bilinear"] = Field(
        description="antialiased: Pillow's BILINEAR resize; bilinear: four neighbours only, as OpenCV's INTER_LINEAR"
    )


class Thresholds(_Part):
    """What a request uses unless it says otherwise."""

    score_threshold: float = Field(ge=0, le=1)
    nms_iou_threshold: float = Field(ge=0, le=1)
    iou_weight: float = Field(ge=0, le=1)


class TensorSpec(_Part):
    """One input or output of detector.onnx; a dimension is a number or a letter (DESIGN: B, H, W, M, D)."""

    name: str
    dtype: str
    shape: list[int | str]
    unit: str


class Provenance(_Part):
    """Where the detector comes from."""

    config: str
    checkpoint_sha256: str
    created: str = Field(description="ISO 8601, UTC")
    versions: dict[str, str]
    weights_dtype: Literal["float32", "float16"] = "float32"


class Manifest(_Part):
    """bundle.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    architecture: str
    localization_confidence: Literal["dir"] | None = Field(
        description="dir: the detector predicts purity and integrity; null: a plain detector"
    )
    categories: list[Category] = Field(min_length=1)
    canvases: list[CanvasSize] = Field(min_length=1, description="the buckets, smallest first")
    resize: ResizeRule
    max_candidates: int = Field(gt=0, description="M")
    max_detections: int = Field(gt=0, description="D")
    defaults: Thresholds
    mask_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="a pixel belongs to an object where its probability reaches it; null: the detector has no masks",
    )
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    provenance: Provenance
    quality: dict[str, float] = Field(default_factory=dict, description="measured figures by name, e.g. AP")
    calibration: Calibration | None = Field(default=None, description="what `dirdet calibrate` found")
    limitations: str = Field(default="", description="what the detector cannot do, for GET /detector")
    files: dict[str, str] = Field(description="sha256 of every other file of the bundle, by name")

    @model_validator(mode="after")
    def _can_calibrate(self) -> Self:
        margin = None if self.calibration is None else self.calibration.box_margin
        if margin is not None and margin.missing and self.localization_confidence is None:
            raise ValueError("calibration.box_margin.missing needs a detector that predicts integrity")
        return self


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Bundle:
    """An opened bundle: its folder and its manifest, both checked.

    Attributes:
        folder: where the bundle's files are.
        manifest: bundle.json.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Joins what `open` has checked."""
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> "Bundle":
        """Reads bundle.json and compares every file with its hash.

        Raises:
            BundleError: no bundle, a schema this version does not know, or a file that is missing or differs.
        """
        path = folder / MANIFEST
        try:
            raw: Any = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as exc:
            raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}") from exc
        except (OSError, ValueError) as exc:
            raise BundleError(f"{path} cannot be read: {exc}") from exc
        version: Any = cast(dict[str, Any], raw).get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise BundleError(f"{path}: schema_version is {shown(version)}, this dirdet reads {SCHEMA_VERSION}")
        try:
            manifest = Manifest.model_validate(raw)
        except ValidationError as exc:
            raise BundleError(f"{path}: {first_fault(exc)}") from exc
        for name, expected in manifest.files.items():
            file = folder / name
            if Path(name).name != name:
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
            raise BundleError(f"{self.folder}: no {name} in this bundle; it has {', '.join(self.manifest.files)}")
        return self.folder / name

    def model_card(self) -> str | None:
        """The bundle's README.md, Markdown; None if it has none.

        Raises:
            BundleError: it cannot be read.
        """
        if MODEL_CARD not in self.manifest.files:
            return None
        try:
            return self.file(MODEL_CARD).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise BundleError(f"{self.folder / MODEL_CARD} cannot be read: {exc}") from exc


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes bundle.json; the last step of an export, so that a half-written bundle is no bundle."""
    text = manifest.model_dump_json(indent=2) + "\n"
    temporary = folder / f".{MANIFEST}.part"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / MANIFEST)
