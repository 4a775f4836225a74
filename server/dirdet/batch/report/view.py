"""Prepares the values that the template `job.html` shows."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dirdet.batch.job_record import Job, leaves
from dirdet.batch.progress import duration
from dirdet.batch.report.extremes import Box, Extremes
from dirdet.batch.report.plots import distribution_plot, plane_plot
from dirdet.batch.report.tallies import Failures, Tallies, quantile
from dirdet.batch.report.truth import Measured
from dirdet.errors import counted
from dirdet.quality.arrays import Ints
from dirdet.quality.page import figure_rows
from dirdet.quality.report import quality_plots, summary

MEANS = {
    "score_calibrated": "how probably class and box are right",
    "iou_calibrated": "expected IoU of the box with its object",
    "score": "the classifier's probability",
    "iou": "predicted IoU of the box with its object",
    "purity": "predicted part of the box that is object",
    "integrity": "predicted part of the object that is in the box",
}
# Classes in the first table; the others are in a closed section.
CLASSES_SHOWN = 40


@dataclass(frozen=True)
class ReportData:
    """Input of a report.

    Attributes:
        queue: the first boxes to review; None without --review.
        links: relative addresses of the pictures of the shown boxes that are files, by position.
        cuts: the numbers that options compare each figure with, by the option.
        kept: detections of each class that meet --keep [C]; None without the option.
        review: the same for --review.
        unmeasured: why a source with objects could not be measured.
    """

    job: Job
    labels: list[str]
    tallies: Tallies
    extremes: Extremes
    queue: list[Box] | None
    cutouts: dict[Box, bytes | str]
    links: dict[int, str]
    cuts: dict[str, dict[str, tuple[float, ...]]]
    failures: Failures
    kept: Ints | None
    review: Ints | None
    measured: Measured | None
    unmeasured: str | None


def view_of(data: ReportData) -> dict[str, Any]:
    """The template's values by name; an empty section is None or empty."""
    found = bool(data.tallies.total)
    return {
        "summary": _summary(data),
        "queue": _queue(data),
        "distributions": _distributions(data) if found else None,
        "classes": _classes(data) if found else None,
        "galleries": _galleries(data) if found else [],
        "quality": _quality(data),
        "failures": _failures(data.failures),
        "speed": _speed(data.job),
        "settings": [(name, _text(value)) for name, value in leaves(data.job.identity.model_dump())],
    }


def _summary(data: ReportData) -> dict[str, Any]:
    job, total = data.job, data.tallies.total
    pictures = job.identity.source.pictures
    unread = data.failures.counts.total()
    read = pictures - unread
    sentence = None
    if not read:
        sentence = f"None of {counted(pictures, 'picture')} could be read."
    elif not total:
        sentence = f"There are no detections in {counted(read, 'picture')}."
    tiles = [(_number(pictures), "pictures"), (_number(total), "detections")]
    if read:
        tiles.append((f"{total / read:.1f}", "detections per picture"))
    if unread:
        tiles.append((_number(unread), "pictures not read"))
    for name, counts in (("kept", data.kept), ("for review", data.review)):
        if counts is not None:
            found = int(counts.sum())
            tiles.append((f"{found / total:.1%}" if total else "0", f"{name}: {_number(found)} detections"))
    if job.seconds:
        tiles.append((f"{pictures / job.seconds:.1f}", "pictures/s"))
    return {"sentence": sentence, "tiles": tiles}


def _distributions(data: ReportData) -> dict[str, Any]:
    figures = data.tallies.reported()
    plots: list[tuple[str, str, str, str]] = []
    for name in figures:
        counts = data.tallies.histogram(name)
        plot = distribution_plot(name, counts, cuts=data.cuts.get(name, {}))
        plots.append((name, plot, MEANS[name], _figure(quantile(counts, 0.5))))
    plane = plane_plot(data.tallies.plane) if "iou" in figures else None
    return {"localization": plane is not None, "plots": plots, "plane": plane}


def _classes(data: ReportData) -> dict[str, Any]:
    tallies, figures = data.tallies, data.tallies.reported()
    order = sorted(range(len(data.labels)), key=lambda each: (-int(tallies.counts[each]), data.labels[each]))
    most = int(tallies.counts.max())
    parts = {name: counts for name, counts in (("kept", data.kept), ("review", data.review)) if counts is not None}

    def row(class_id: int) -> dict[str, Any]:
        count = int(tallies.counts[class_id])
        histograms = [tallies.histogram(name, class_id) for name in figures]
        return {
            "label": data.labels[class_id],
            "bar": f"{count / most:.1%}",
            "count": _number(count),
            "figures": [[_figure(quantile(each, part)) for part in (0.5, 0.1, 0.9)] for each in histograms],
            "parts": [f"{int(counts[class_id]) / count:.0%}" for counts in parts.values()],
        }

    rows = [row(each) for each in order if tallies.counts[each]]
    absent = [data.labels[each] for each in order if not tallies.counts[each]]
    return {
        "columns": ["class", "detections", *figures, *parts],
        "first": rows[:CLASSES_SHOWN],
        "more": rows[CLASSES_SHOWN:],
        "absent": absent[:CLASSES_SHOWN],
        "absent_more": max(0, len(absent) - CLASSES_SHOWN),
    }


def _galleries(data: ReportData) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Title, description of the first box, and boxes; the least certain boxes are those not shown before."""
    galleries = [("The most certain boxes", "most certain", _cards(data, data.extremes.most))]
    shown = {(box.position, box.xyxy, box.label) for box in data.extremes.most}
    if least := [box for box in data.extremes.least if (box.position, box.xyxy, box.label) not in shown]:
        galleries.append(("The least certain boxes", "least certain", _cards(data, least)))
    return galleries


def _queue(data: ReportData) -> dict[str, Any] | None:
    if data.queue is None or data.review is None:
        return None
    count = int(data.review.sum())
    return {"count": _number(count), "one": count == 1, "cards": _cards(data, data.queue)}


def _cards(data: ReportData, boxes: Iterable[Box]) -> list[dict[str, Any]]:
    return [_card(box, data.cutouts[box], data.links.get(box.position)) for box in boxes]


def _card(box: Box, cutout: bytes | str, link: str | None) -> dict[str, Any]:
    return {
        "label": box.label,
        "picture": box.picture,
        "link": link,
        "reason": box.reason,
        "jpeg_base64": base64.b64encode(cutout).decode("ascii") if isinstance(cutout, bytes) else None,
        "missing": cutout,
        "figures": [(name, f"{value:.2f}") for name, value in box.figures.items() if value is not None],
    }


def _quality(data: ReportData) -> dict[str, Any] | None:
    if data.measured is None:
        return None if data.unmeasured is None else {"unmeasured": data.unmeasured}
    quality = data.measured.quality
    return {
        "unmeasured": None,
        "summary": " ".join([summary(quality.figures), *data.measured.notes]),
        "plots": quality_plots(quality),
        "figures": figure_rows(quality.figures),
    }


def _failures(failures: Failures) -> list[dict[str, Any]]:
    return [
        {
            "reason": reason,
            "count": _number(count),
            "examples": failures.examples[reason],
            "more": _number(more) if (more := count - len(failures.examples[reason])) else None,
        }
        for reason, count in failures.counts.most_common()
    ]


def _speed(job: Job) -> dict[str, Any]:
    run = job.last_run_seconds
    shown: dict[str, Any] = {
        "pictures": _number(job.identity.source.pictures),
        "duration": duration(job.seconds),
        "engine": _share(job.engine_seconds, job.seconds),
        "stages": [],
    }
    if run is None or not run.pictures:
        return shown
    stages = [
        (f"read and decode, {run.workers} threads", run.read, run.workers),
        ("infer", run.engine, 1),
        ("write", run.write, 1),
    ]
    return shown | {
        "last_pictures": _number(run.pictures),
        "last_duration": duration(run.whole),
        "stages": [
            (name, f"{seconds:.1f}", _share(seconds, run.whole * threads), _rate(run.pictures * threads, seconds))
            for name, seconds, threads in stages
            if seconds is not None
        ],
    }


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")  # A narrow no-break space.


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _rate(pictures: float, seconds: float) -> str:
    return f"{pictures / seconds:.1f}" if seconds else "-"
