"""The API's answers as types, for the documentation and the tests."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from dirdet.api.problems import ImageFailure
from dirdet.bundle.bundle import CanvasSize, Provenance, ResizeRule, Thresholds
from dirdet.detection import Candidate, Detection
from dirdet.detection.calibration import Calibration
from dirdet.detection.field_declaration import Kind, fields_of
from dirdet.detection.selection import Selection

Probability = Annotated[float, Field(ge=0, le=1)]

CANDIDATES = (
    "with candidates=true, the boxes before NMS, best scored first, at most max_candidates of GET /detector; else "
    "null. They have all the network's digits, so that they can be ranked again, in five steps. 1. Take those whose "
    "score is above a score_threshold, not below the request's, by falling confidence. 2. Drop each one that overlaps "
    "a kept one of its class with an IoU above nms_iou_threshold, and keep the first max_detections of GET /detector. "
    "3. With nms=class-agnostic, drop each one that overlaps a better one of any class so. 4. Keep the wanted classes "
    "with at least min_iou. 5. Keep the first max_detections of the request. With the request's own settings this "
    "gives `detections`, but where two figures differ by less than float32 resolves. score_calibrated and "
    "iou_calibrated of a candidate are fitted to all candidates; many of them lie on one object. Kept ones have the "
    "maps of calibration.detections of GET /detector."
)


class Mask(BaseModel):
    """The pixels of an object, as COCO's compressed run-length encoding (`pycocotools.mask.decode`)."""

    size: tuple[int, int] = Field(description="the picture's height and width in pixels, EXIF-upright")
    counts: str = Field(description="the run lengths, as text")


TYPES: dict[Kind, Any] = {
    "box": tuple[float, float, float, float],
    "fraction": Probability,
    "integer": int,
    "text": str,
    "mask": Mask,
}


def _members_of(cls: type[Candidate]) -> type[BaseModel]:
    """A model with the members of the class's JSON."""
    members: dict[str, Any] = {
        each.json: (
            TYPES[each.kind] | None if each.optional else TYPES[each.kind],
            Field(description=each.about.description),
        )
        for each in fields_of(cls)
    }
    return create_model(cls.__name__, **members)


class CandidateOut(_members_of(Candidate)):
    """A box with a class, before NMS."""


class DetectionOut(_members_of(Detection)):
    """One object."""


class ImageDetections(BaseModel):
    """The detections of one picture."""

    name: str = Field(description="the file's name as sent; 'image' for a raw body")
    width: int = Field(description="pixels, EXIF-upright")
    height: int = Field(description="pixels, EXIF-upright")
    decoded_scale: float = Field(
        gt=0, le=1, description="at which the file was decoded: below 1 only of a JPEG, with decode=scaled"
    )
    detections: list[DetectionOut] = Field(description="most confident first")
    candidates: list[CandidateOut] | None = Field(description=CANDIDATES)


class DetectorName(BaseModel):
    """The detector that answered."""

    name: str = Field(description="as in addresses: /detectors/NAME")
    architecture: str = Field(description="detector, backbone, neck and heads, for people")
    localization_confidence: str | None = Field(description="dir, or null: the detector has classification scores only")
    checkpoint_sha256: str = Field(description="of the weights that answered")


class DetectorList(BaseModel):
    """All detectors of the server."""

    default: str = Field(description="name of the detector that POST /detect and GET /detector use")
    detectors: list[DetectorName] = Field(description="the default one first")


class ReloadedDetector(BaseModel):
    """The result of reloading one detector."""

    name: str = Field(description="of the detector")
    status: Literal["reloaded", "unchanged"] = Field(
        description="unchanged: every file of the folder equals the one that is served"
    )
    checkpoint_sha256: str = Field(description="of the detector that is served now")
    previous_checkpoint_sha256: str = Field(
        description="of the previous one; the same if its checkpoint did not change"
    )


class ReloadAnswer(BaseModel):
    """The answer to POST /admin/reload."""

    detectors: list[ReloadedDetector] = Field(description="every detector of the server")


class DetectAnswer(BaseModel):
    """The answer to POST /detect."""

    detector: DetectorName = Field(description="the one that answered")
    images: list[ImageDetections | ImageFailure] = Field(description="in the order sent")


class DetectorClass(BaseModel):
    """One class of the detector."""

    class_id: int = Field(description="position in the list of classes, from 0")
    name: str = Field(description="the label of its detections")
    category_id: int = Field(description="the data set's own number")


class AcceptedPictures(BaseModel):
    """Limits of a request's pictures."""

    types: list[str] = Field(description="media types")
    max_bytes: int = Field(description="of one picture")
    max_pixels: int = Field(description="width times height of one picture")
    max_pictures: int = Field(description="in one request")
    max_request_bytes: int = Field(description="all pictures of one request together")


class DetectorInfo(BaseModel):
    """Classes, quality and limitations of the detector."""

    name: str = Field(description="as in addresses: /detectors/NAME")
    architecture: str = Field(description="detector, backbone, neck and heads, for people")
    localization_confidence: str | None = Field(description="dir, or null: the detector has classification scores only")
    limitations: str = Field(description="what the detector cannot do")
    classes: list[DetectorClass] = Field(description="by class_id")
    canvases: list[CanvasSize] = Field(description="input sizes of the network in pixels, smallest first")
    resize: ResizeRule = Field(description="how a picture comes onto its canvas")
    defaults: Thresholds = Field(description="of a request that names none")
    selection: Selection | None = Field(
        description="steps of NMS beyond the ranked one; null: there are none. If there are, candidates become "
        "detections by them: clusters led by cluster_by, each represented by its best fitting member, ordered by "
        "report_by, and their boxes voted"
    )
    max_candidates: int = Field(description="most boxes of a picture before NMS")
    max_detections: int = Field(description="most boxes of a picture after NMS")
    mask_threshold: float | None = Field(
        description="a pixel belongs to a mask if its probability is at least this; null: the detector has no masks"
    )
    quality: dict[str, float] = Field(description="measured figures by name")
    calibration: Calibration | None = Field(description="source of *_calibrated and outer_box; null without one")
    provenance: Provenance = Field(description="where the detector comes from")
    model_card: str | None = Field(
        description="description, limitations and measurements, as Markdown; null without a model card"
    )
    engine: str = Field(description="what computes: its name, version and device")
    accepts: AcceptedPictures = Field(description="the limits of a request")


class Health(BaseModel):
    """Answer of a health check."""

    status: str = Field(description="live, or ready")
