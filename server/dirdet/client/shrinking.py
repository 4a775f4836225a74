"""Shrinks pictures before they are sent, to the very pixels that the detector's network would see of them."""

from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image

from dirdet.api.schemas import DetectorInfo
from dirdet.client.pictures import SentPicture
from dirdet.client.result import PictureResult
from dirdet.client.settings import DetectParameters
from dirdet.detection import Detection
from dirdet.detection.field_declaration import fields_of
from dirdet.errors import PictureError
from dirdet.pictures.canvas import Fit, fit_picture, place_file
from dirdet.pictures.reading import open_picture, upright_wh

# Of WebP, pixels.
MOST_SIDE = 16383
BOXES = tuple(each.name for each in fields_of(Detection) if each.kind == "box")


@dataclass(slots=True)
class Shrinking:
    """Shrinks one client's pictures for the detector that answers it.

    Attributes:
        about: the detector; None: it was not asked for yet, or another one has answered since.
    """

    about: DetectorInfo | None = None

    def shrunk(self, picture: SentPicture, about: DetectorInfo, parameters: DetectParameters) -> SentPicture:
        """The picture at its size on the canvas, in a file without loss, if that has fewer bytes; else as it is.

        It stays as it is for tiles, which are cut from all pixels; for masks, which are of the pixels that are sent;
        and if it cannot be read: the gateway tells why.

        Args:
            picture: as the caller has it.
            about: the detector.
            parameters: of the request.
        """
        if picture.error is not None or parameters.get("tiles") is not None or about.mask_threshold is not None:
            return picture
        try:
            fit = _smaller(picture.data, about)
            if fit is None:
                return picture
            placed = place_file(BytesIO(picture.data), about, decode=parameters.get("decode") or about.defaults.decode)
        except PictureError:
            return picture
        height, width = fit.resized_hw
        file = BytesIO()
        # The least effort: a tenth fewer bytes would take five times as long.
        Image.fromarray(placed.canvas[:height, :width]).save(file, "WEBP", lossless=True, quality=0, method=0)
        if file.tell() >= len(picture.data):
            return picture
        return replace(picture, data=file.getvalue(), shrunk=Shrunk(self, about, fit, placed.decoded_scale))


@dataclass(frozen=True, slots=True)
class Shrunk:
    """How a picture was shrunk.

    Attributes:
        by: what shrank it.
        about: the detector for which it was shrunk.
        fit: of the caller's picture; `resized_hw` was sent.
        decoded_scale: of its own size, at which the caller's file was decoded.
    """

    by: Shrinking
    about: DetectorInfo
    fit: Fit
    decoded_scale: float

    def restored(self, result: PictureResult) -> PictureResult:
        """The result in pixels of the caller's picture."""
        if result.checkpoint_sha256 != self.about.provenance.checkpoint_sha256:
            self.by.about = None
        height, width = self.fit.picture_hw
        return replace(
            result,
            width=width,
            height=height,
            detections=tuple(self._restored(each) for each in result.detections),
            decoded_scale=self.decoded_scale,
            sent_scale=self.fit.resized_hw[1] / width,
        )

    def _restored(self, found: Detection) -> Detection:
        boxes = {name: box for name in BOXES if (box := getattr(found, name)) is not None}
        return replace(found, **{name: tuple(self.fit.to_picture(box).tolist()) for name, box in boxes.items()})


def _smaller(data: bytes, about: DetectorInfo) -> Fit | None:
    """Where a picture is placed, if it is smaller there and would be placed so again; else None.

    Raises:
        PictureError: it cannot be read.
    """
    width, height = upright_wh(open_picture(BytesIO(data)))
    fit = fit_picture((height, width), rule=about.resize, canvases=about.canvases)
    again = fit_picture(fit.resized_hw, rule=about.resize, canvases=about.canvases)
    seen_h, seen_w = fit.resized_hw
    same = (again.resized_hw, again.canvas_hw) == (fit.resized_hw, fit.canvas_hw)
    return fit if same and seen_h * seen_w < height * width and max(seen_h, seen_w) <= MOST_SIDE else None
