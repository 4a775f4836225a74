"""The API's answers as types, for its documentation and its tests."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dirdet.bundle import CanvasSize, Provenance, ResizeRule, Thresholds
from dirdet.calibration import Calibration
from dirdet.problems import ImageFailure

Probability = Annotated[float, Field(ge=0, le=1)]

CANDIDATES = (
    "with candidates=true, the boxes before NMS, best scored first, at most max_candidates of GET /detector; else "
    "null. They have all the network's digits, so that they can be ranked again. Of those whose score is above a "
    "score_threshold, not below the request's, by falling confidence: one stays unless one of its class that stays "
    "overlaps it with an IoU above nms_iou_threshold; of these the first max_detections of GET /detector; of these "
    "those of the wanted classes with at least min_iou; of these the first max_detections of the request. By the "
    "request's own settings that gives `detections`; only where two figures differ by less than float32 can tell may "
    "it fall the other way."
)


class Mask(BaseModel):
    """The pixels that belong to an object, as COCO's compressed run-length encoding: `pycocotools.mask.decode`."""

    size: tuple[int, int] = Field(description="the picture's height and width in pixels, EXIF-upright")
    counts: str


class CandidateOut(BaseModel):
    """A box and a class for it, before NMS."""

    box: tuple[float, float, float, float] = Field(
        description="x1, y1, x2, y2 in pixels of the picture, EXIF-upright; inside it"
    )
    label: str
    class_id: int = Field(description="from 0")
    category_id: int = Field(description="the data set's own number")
    score: Probability = Field(description="the classifier's probability")
    purity: Probability | None = Field(
        description="predicted overlap / area of the box; null from a detector without localization confidence"
    )
    integrity: Probability | None = Field(description="predicted overlap / area of the object; null as purity")
    iou: Probability | None = Field(
        description="localization confidence, 1 / (1/purity + 1/integrity - 1); null as purity"
    )
    score_calibrated: Probability | None = Field(
        description="probability that class and box (IoU of at least 0.5) are right; null from a detector that is not "
        "calibrated"
    )
    iou_calibrated: Probability | None = Field(
        description="expected IoU with the object, if the box overlaps one by at least 0.5; null as score_calibrated, "
        "and as purity"
    )
    outer_box: tuple[float, float, float, float] | None = Field(
        description="a larger box, x1, y1, x2, y2 in pixels and inside the picture, that contains the object with the "
        "probability that calibration.box_margin.coverage of GET /detector tells; null without such a margin"
    )


class DetectionOut(CandidateOut):
    """One object."""

    confidence: Probability = Field(description="score^(1-w) * iou^w with w = iou_weight: what ranks the detections")
    mask: Mask | None = Field(description="the object's pixels; null from a detector without masks")


class ImageDetections(BaseModel):
    """What was found in one picture."""

    name: str = Field(description="the file's name as sent; 'image' for a raw body")
    width: int = Field(description="pixels, EXIF-upright")
    height: int = Field(description="pixels, EXIF-upright")
    detections: list[DetectionOut] = Field(description="most confident first")
    candidates: list[CandidateOut] | None = Field(description=CANDIDATES)


class DetectorName(BaseModel):
    """Which detector answered."""

    name: str
    architecture: str
    localization_confidence: str | None = Field(description="dir, or null: the detector has classification scores only")
    checkpoint_sha256: str


class DetectorList(BaseModel):
    """Every detector that is served."""

    default: str = Field(description="name of the one that POST /detect and GET /detector are about")
    detectors: list[DetectorName] = Field(description="the default one first")


class ReloadedDetector(BaseModel):
    """What became of one detector."""

    name: str
    status: Literal["reloaded", "unchanged"] = Field(
        description="unchanged: the folder has what is served already, file by file"
    )
    checkpoint_sha256: str = Field(description="of what is served now")
    previous_checkpoint_sha256: str = Field(description="of what was served; the same if only other things changed")


class ReloadAnswer(BaseModel):
    """The answer to POST /admin/reload."""

    detectors: list[ReloadedDetector]


class DetectAnswer(BaseModel):
    """The answer to POST /detect."""

    detector: DetectorName
    images: list[ImageDetections | ImageFailure] = Field(description="in the order sent")


class DetectorClass(BaseModel):
    """One class that the detector knows."""

    class_id: int
    name: str
    category_id: int


class AcceptedPictures(BaseModel):
    """What a request may bring."""

    types: list[str]
    max_bytes: int = Field(description="of one picture")
    max_pixels: int = Field(description="width times height of one picture")
    max_pictures: int = Field(description="in one request")
    max_request_bytes: int = Field(description="all pictures of one request together")


class DetectorInfo(BaseModel):
    """What the detector knows, how well, and what it cannot do."""

    name: str
    architecture: str
    localization_confidence: str | None
    limitations: str = Field(description="what the detector cannot do")
    classes: list[DetectorClass]
    canvases: list[CanvasSize] = Field(description="sizes in pixels of what the network sees, smallest first")
    resize: ResizeRule
    defaults: Thresholds
    max_candidates: int
    max_detections: int
    mask_threshold: float | None = Field(
        description="a pixel belongs to a mask where its probability reaches it; null: the detector has no masks"
    )
    quality: dict[str, float] = Field(description="measured figures by name")
    calibration: Calibration | None = Field(description="where *_calibrated and outer_box come from; null without")
    provenance: Provenance
    model_card: str | None = Field(
        description="what it is, cannot do and was measured to do, as Markdown; null without"
    )
    engine: str
    accepts: AcceptedPictures


class Health(BaseModel):
    """Answer of a health check."""

    status: str
