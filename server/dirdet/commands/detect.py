"""Detects objects in pictures and prints a table or JSON, or draws them."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from PIL import Image

from dirdet.answers import PictureAnswer, PictureFailure, detect_answer
from dirdet.commands.detection_options import detection_options
from dirdet.detection import Detection
from dirdet.detector import Detector
from dirdet.draw import draw_detections
from dirdet.errors import ParameterError, PictureError
from dirdet.options import DetectOptions, Settings
from dirdet.sources import Source, find_sources

DRAWN_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
HEADING = (
    f"  {'label':<16} {'confidence':>10} {'score':>7} {'iou':>7} {'purity':>7} {'integrity':>9}   box (x1 y1 x2 y2)"
)


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "--detector", "folder", type=click.Path(path_type=Path),
    help="Folder of a bundle; the one that comes with the package unless given.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what POST /detect answers.")
@click.option(
    "--draw", "drawing", type=click.Path(path_type=Path),
    help="Draw the detections into this file, or, of several pictures, into this folder.",
)  # fmt: skip
@click.option("--recursive", is_flag=True, help="Of a folder, also take the pictures in the folders in it.")
@detection_options
def command(
    pictures: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
    drawing: Path | None,
    recursive: bool,
    classes: tuple[str, ...],
    **thresholds: float | None,
) -> None:
    """Detects objects in PICTURES and tells how well each box fits.

    PICTURES are files, folders (their pictures, sorted), or - for one picture from standard input. One that cannot be
    read is named on standard error; the others are still done, and the status is 1.
    """
    options = DetectOptions.checked(classes=list(classes), **thresholds)
    sources = find_sources(pictures, recursive=recursive)
    targets = drawing_targets(drawing, sources)
    detector = Detector.open(folder)
    settings = detector.settle(options)
    answers: list[PictureAnswer | PictureFailure] = []
    for answer in _detect_each(sources, detector, settings, targets):
        answers.append(answer)
        if isinstance(answer, PictureFailure):
            click.echo(f"dirdet: {answer.name}: {answer.error}", err=True)
        elif not as_json:
            click.echo(table(answer))
    if as_json:
        click.echo(json.dumps(detect_answer(detector.manifest, answers), indent=2))
    if any(isinstance(answer, PictureFailure) for answer in answers):
        sys.exit(1)


def _detect_each(
    sources: Sequence[Source], detector: Detector, settings: Settings, targets: dict[Source, Path]
) -> Iterator[PictureAnswer | PictureFailure]:
    """One after the other, so that each is told as soon as it is done and only one is held."""
    for source in sources:
        name = click.format_filename(source.name)  # file systems have names that UTF-8 has not
        try:
            picture = source.read()
        except PictureError as exc:
            yield PictureFailure(name, exc)
            continue
        [found] = detector.detect_placed([detector.place(picture)], settings)
        if source in targets:
            _save(draw_detections(picture, found.detections), targets[source])
        yield PictureAnswer(name, picture.width, picture.height, found)


def drawing_targets(drawing: Path | None, sources: Sequence[Source]) -> dict[Source, Path]:
    """Where each picture is drawn; checked before the work, so that it is not lost at its end.

    Raises:
        ParameterError: a type that is not written, a file for several pictures, or a picture drawn over.
    """
    if drawing is None:
        return {}
    targets: dict[Source, Path] = {}
    if drawing.is_dir():
        targets = {source: drawing / f"{source.stem}_detected.png" for source in sources if source.error is None}
        if len(set(targets.values())) < len(targets):
            raise ParameterError("--draw", f"two of the pictures would be drawn into one file in {drawing}")
    elif len(sources) > 1:
        raise ParameterError("--draw", f"expected an existing folder for {len(sources)} pictures, got {drawing}")
    elif drawing.suffix.lower() not in DRAWN_SUFFIXES:
        raise ParameterError("--draw", f"expected a file that ends in {', '.join(DRAWN_SUFFIXES)}, got {drawing.name}")
    elif not drawing.parent.is_dir():
        raise ParameterError("--draw", f"there is no folder {drawing.parent}")
    else:
        targets = {sources[0]: drawing}
    for source, target in targets.items():
        if source.path is not None and target.resolve() == source.path.resolve():
            raise ParameterError("--draw", f"{target} is the picture itself; name another file")
    return targets


def table(answer: PictureAnswer) -> str:
    """A block of lines for people: the picture, then one line per detection, most confident first."""
    title = f"{answer.name}  {answer.width} x {answer.height}, {len(answer.found.detections)} detections"
    lines = [_row(detection) for detection in answer.found.detections]
    return "\n".join([title, *([HEADING] if lines else []), *lines, ""])


def _row(detection: Detection) -> str:
    iou, purity, integrity = (
        "-" if value is None else f"{value:.3f}" for value in (detection.iou, detection.purity, detection.integrity)
    )
    box = " ".join(f"{side:7.1f}" for side in detection.box_xyxy)
    return (
        f"  {detection.label:<16} {detection.confidence:>10.3f} {detection.score:>7.3f} "
        f"{iou:>7} {purity:>7} {integrity:>9}  {box}"
    )


def _save(drawn: Image.Image, target: Path) -> None:
    try:
        drawn.save(target)
    except OSError as exc:
        raise ParameterError("--draw", f"{target} cannot be written: {exc.strerror or exc}") from exc
