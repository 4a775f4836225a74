"""What a caller gets for one picture: its detections, drawn, as a table in a notebook, or as another tool's object."""

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from dirdet.convert.image_result import ImageResult
from dirdet.errors import DirdetError, ParameterError, counted

if TYPE_CHECKING:
    from PIL import Image

    from dirdet.client.pictures import PictureInput
    from dirdet.convert.common import Score

# Rows of a notebook's table, and its picture's longer side in pixels.
MOST_ROWS = 20
SHOWN_SIDE = 640


@dataclass(frozen=True)
class PictureResult(ImageResult):
    """The detections of one picture that a caller passed.

    Attributes:
        picture: what the caller passed; read again when the detections are drawn.
    """

    picture: "PictureInput | None" = field(default=None, repr=False, compare=False)

    def plot(self) -> "Image.Image":
        """Draws the detections on the picture: boxes, masks and labels, upright RGB.

        Raises:
            PictureError: the picture cannot be read, or not any more.
            ParameterError: the picture was a file, which has been read to its end, or there is none.
        """
        # Imported here: a client that draws nothing does not load Pillow.
        from dirdet.client.pictures import decoded, read
        from dirdet.detection.draw import draw_detections

        if self.error is not None:
            raise self.error
        if self.picture is None or hasattr(self.picture, "read"):
            raise ParameterError("picture", f"expected one that can be read again; {self.name!r} cannot")
        return draw_detections(decoded(read(self.picture)), self.detections)

    def to_supervision(self, *, score: "Score" = "confidence") -> Any:  # noqa: ANN401 - sv.Detections
        """As `dirdet.convert.to_supervision`."""
        from dirdet.convert import to_supervision

        return to_supervision(self, score=score)

    def to_fiftyone(self, *, score: "Score" = "confidence") -> Any:  # noqa: ANN401 - fo.Detections
        """As `dirdet.convert.to_fiftyone`."""
        from dirdet.convert import to_fiftyone

        return to_fiftyone(self, score=score)

    def to_label_studio(self, *, score: "Score" = "confidence") -> dict[str, Any]:
        """As `dirdet.convert.to_label_studio`."""
        from dirdet.convert import to_label_studio

        return to_label_studio(self, score=score)

    def _repr_html_(self) -> str:
        """The picture with its detections, and a table of them, for a notebook."""
        head = f"<b>{escape(self.name)}</b> {self.width} x {self.height}, {counted(len(self), 'detection')}"
        if self.error is not None:
            return f"<p><b>{escape(self.name)}</b>: {escape(str(self.error))}</p>"
        columns = ("label", "confidence", "score", "iou", "purity", "integrity")
        rows = [
            "".join(f"<td>{_shown(getattr(found, name))}</td>" for name in columns)
            for found in self.detections[:MOST_ROWS]
        ]
        if len(self) > MOST_ROWS:
            rows.append(f"<td colspan={len(columns)}>and {len(self) - MOST_ROWS} more</td>")
        table = "".join(f"<tr>{row}</tr>" for row in ["".join(f"<th>{name}</th>" for name in columns), *rows])
        return f"<p>{head}</p>{self._picture_html()}<table>{table}</table>"

    def _picture_html(self) -> str:
        """The drawn picture inside the page; nothing if it cannot be read again."""
        from base64 import b64encode

        from dirdet.detection.draw import encode

        try:
            drawn = self.plot()
        except DirdetError:
            return ""
        drawn.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        return f'<img alt="" src="data:image/jpeg;base64,{b64encode(encode(drawn, "JPEG")).decode()}">'


def _shown(value: str | float | None) -> str:
    if value is None:
        return ""
    return escape(value) if isinstance(value, str) else f"{value:.3f}"
