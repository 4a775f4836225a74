"""Detects objects in pictures and prints a table or JSON, or draws them."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from PIL import Image

from dirdet.api.answers import PictureAnswer, PictureFailure, detect_answer
from dirdet.commands.detect_pictures import Source, find_sources
from dirdet.commands.detection_options import DetectionFlags, detection_options
from dirdet.detection import Detection
from dirdet.detection.draw import draw_detections
from dirdet.detector.detector import Detector
from dirdet.detector.options import Settings
from dirdet.errors import ParameterError, PictureError, counted
from dirdet.pictures.formats import FILE_SUFFIXES
from dirdet.pictures.reading import read_picture, silence_parsers
from dirdet.pictures.regions import Decoded, Regions
from dirdet.terminal import aligned, terminal_columns, width_of
from dirdet.untrusted_text import one_line

# Title and field. Those of a calibration come first, and only where there is one: they say what to expect.
CALIBRATED = (("right", "score_calibrated"), ("fit", "iou_calibrated"))
FIGURES = tuple((name, name) for name in ("confidence", "score", "iou", "purity", "integrity"))
BOX = "box (x1 y1 x2 y2)"
INDENT = "  "


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "--detector", "folder", type=click.Path(path_type=Path),
    help="Folder of a bundle, or scenes or cells, the package's own [scenes].",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON as POST /detect returns it.")
@click.option(
    "--draw", "drawing", type=click.Path(path_type=Path),
    help="Draw the detections into this file, or into this folder for several pictures.",
)  # fmt: skip
@click.option("--recursive", is_flag=True, help="Also search subfolders for pictures.")
@detection_options
def command(
    pictures: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
    drawing: Path | None,
    recursive: bool,
    wanted: DetectionFlags,
) -> None:
    """Detects objects in PICTURES and reports how well each box fits.

    PICTURES are files, folders (their pictures, sorted), or - for one picture from standard input. A picture that
    cannot be read is reported on standard error; the others are still processed, and the exit status is 1.

    The table of a calibrated detector leads with "right", how probably class and box are right (score_calibrated), and
    "fit", the expected IoU (iou_calibrated). On a narrow terminal the last figures are left out; --json has all.
    """
    silence_parsers()
    options = wanted.checked()
    sources = find_sources(pictures, recursive=recursive)
    targets = drawing_targets(drawing, sources)
    detector = Detector.open(folder)
    settings = detector.settle(options)
    answers: list[PictureAnswer | PictureFailure] = []
    for answer in _detect_each(sources, detector, settings, targets):
        answers.append(answer)
        if isinstance(answer, PictureFailure):
            click.echo(one_line(f"dirdet: {answer.name}: {answer.error}"), err=True)
        elif not as_json:
            click.echo(table(answer, settings, width=terminal_columns()))
    if as_json:
        click.echo(json.dumps(detect_answer(detector.manifest, answers), indent=2))
    if any(isinstance(answer, PictureFailure) for answer in answers):
        sys.exit(1)


def _detect_each(
    sources: Sequence[Source],
    detector: Detector,
    settings: Settings,
    targets: dict[Source, Path],
) -> Iterator[PictureAnswer | PictureFailure]:
    """Detects on one picture at a time, so that each is printed as soon as it is done and only one is in memory."""
    for source in sources:
        name = click.format_filename(source.name)  # File names need not be valid UTF-8.
        detect = _detect_whole if settings.tiling is None else _detect_tiles
        try:
            yield detect(source, name, detector, settings, targets.get(source))
        except PictureError as exc:
            yield PictureFailure(name, exc)


def _detect_whole(
    source: Source, name: str, detector: Detector, settings: Settings, target: Path | None
) -> PictureAnswer:
    with source.placed(detector.manifest, decode=settings.decode) as (placed, file):
        [found] = detector.detect_placed([placed], settings)
        if target is not None:
            file.seek(0)
            _save(draw_detections(read_picture(file), found.detections), target)
        height, width = placed.fit.picture_hw
        return PictureAnswer(name, width, height, found, placed.decoded_scale)


def _detect_tiles(
    source: Source, name: str, detector: Detector, settings: Settings, target: Path | None
) -> PictureAnswer:
    with source.regions() as regions:
        found = detector.detect_regions(regions, settings)
        if target is not None:
            _save(draw_detections(_whole(regions), found.detections), target)
        return PictureAnswer(name, *regions.size, found)


def _whole(regions: Regions) -> Image.Image:
    if not isinstance(regions, Decoded):
        width, height = regions.size
        raise ParameterError("--draw", f"a picture of {width} x {height} pixels is read in parts and not drawn")
    return regions.picture


def drawing_targets(drawing: Path | None, sources: Sequence[Source]) -> dict[Source, Path]:
    """The target file of each picture's drawing, checked before the work starts.

    Raises:
        ParameterError: the file type is not supported, there is one file for several pictures, or a drawing would
            replace a picture.
    """
    if drawing is None:
        return {}
    targets: dict[Source, Path] = {}
    if drawing.is_dir():
        targets = {source: drawing / f"{source.stem}_detected.png" for source in sources if source.error is None}
        if len(set(targets.values())) < len(targets):
            raise ParameterError("--draw", f"two of the pictures would get the same file in {drawing}")
    elif len(sources) > 1:
        raise ParameterError("--draw", f"expected an existing folder for {len(sources)} pictures, got {drawing}")
    elif drawing.suffix.lower() not in FILE_SUFFIXES:
        raise ParameterError("--draw", f"expected a file that ends in {', '.join(FILE_SUFFIXES)}, got {drawing.name}")
    elif not drawing.parent.is_dir():
        raise ParameterError("--draw", f"there is no folder {drawing.parent}")
    else:
        targets = {sources[0]: drawing}
    for source, target in targets.items():
        if source.path is not None and target.resolve() == source.path.resolve():
            raise ParameterError("--draw", f"{target} is the picture itself; name another file")
    return targets


def table(answer: PictureAnswer, settings: Settings, *, width: int | None = None) -> str:
    """A block of lines for people: the picture, then one line for each detection, most confident first.

    Figures are left out from the end until a line has at most `width` columns.
    """
    found = answer.found.detections
    title = f"{answer.name}  {answer.width} x {answer.height}, {counted(len(found), 'detection')}"
    if not found and settings.score_threshold > 0:
        title += f" above the score threshold of {settings.score_threshold:g} (--score-threshold)"
    meant = [each for each in CALIBRATED if any(getattr(detection, each[1]) is not None for detection in found)]
    columns = [*meant, *FIGURES]
    lines = _lines(found, columns)
    while columns and width is not None and max(map(width_of, lines), default=0) + len(INDENT) > width:
        lines = _lines(found, columns := columns[:-1])
    return "\n".join([one_line(title), *(f"{INDENT}{line}" for line in lines), ""])


def _lines(found: Sequence[Detection], columns: Sequence[tuple[str, str]]) -> list[str]:
    rows = [_row(detection, [field for _, field in columns]) for detection in found]
    return aligned([["label", *(name for name, _ in columns), BOX], *rows]).splitlines() if rows else []


def _row(detection: Detection, fields: Sequence[str]) -> list[str]:
    values = [getattr(detection, field) for field in fields]
    figures = ("-" if value is None else f"{value:.3f}" for value in values)
    return [one_line(detection.label), *figures, " ".join(f"{side:6.1f}" for side in detection.box_xyxy)]


def _save(drawn: Image.Image, target: Path) -> None:
    try:
        drawn.save(target)
    except OSError as exc:
        raise ParameterError("--draw", f"{target} cannot be written: {exc.strerror or exc}") from exc
