"""What the report tells, section by section, each left out where it has nothing to say."""

import html
from collections.abc import Iterator
from dataclasses import dataclass

from dirdet.batch.job import Job, leaves
from dirdet.batch.progress import duration
from dirdet.batch.report.extremes import Box, Extremes
from dirdet.batch.report.failures import Failures
from dirdet.batch.report.page import gallery, table, tiles
from dirdet.batch.report.plots import distribution_plot, plane_plot
from dirdet.batch.report.tallies import Tallies, quantile
from dirdet.batch.report.truth import Measured
from dirdet.quality.arrays import Ints
from dirdet.quality.page import figure, figure_rows
from dirdet.quality.report import quality_plots, summary

MEANS = {
    "score": "the classifier's probability",
    "iou": "how well the box is said to fit",
    "purity": "how much of the box is said to be object",
    "integrity": "how much of the object is said to be in the box",
}
# Classes that are seen at once; the rest can be unfolded.
CLASSES_SHOWN = 40


@dataclass(frozen=True)
class Told:
    """All that a report is made of.

    Attributes:
        kept: detections of each class that --keep wanted [C]; None where it was not given.
        review: the same of --review.
        unmeasured: why a source with objects gave no figures of quality.
    """

    job: Job
    labels: list[str]
    tallies: Tallies
    extremes: Extremes
    cutouts: dict[Box, bytes | str]
    failures: Failures
    kept: Ints | None
    review: Ints | None
    measured: Measured | None
    unmeasured: str | None


def sections_of(told: Told) -> Iterator[str]:
    """HTML, in order."""
    yield from _summary(told)
    if told.tallies.total:
        yield from _distributions(told)
        yield from _classes(told)
        yield from _boxes(told)
    yield from _quality(told)
    yield from _failures(told)
    yield from _throughput(told)
    yield from _identity(told)


def _summary(told: Told) -> Iterator[str]:
    job, total = told.job, told.tallies.total
    pictures = job.identity.source.pictures
    unread = told.failures.counts.total()
    read = pictures - unread
    if not read:
        yield f"<p>None of the {_number(pictures)} pictures could be read.</p>"
    elif not total:
        yield f"<p>Nothing was found in {_number(read)} pictures.</p>"
    shown = [(_number(pictures), "pictures"), (_number(total), "detections")]
    if read:
        shown.append((f"{total / read:.1f}", "detections per picture"))
    if unread:
        shown.append((_number(unread), "pictures not read"))
    for name, counts in (("kept", told.kept), ("for review", told.review)):
        if counts is not None:
            found = int(counts.sum())
            shown.append((f"{found / total:.1%}" if total else "0", f"{name}: {_number(found)} detections"))
    if job.seconds:
        shown.append((f"{pictures / job.seconds:.1f}", "pictures/s"))
    yield tiles(shown)


def _distributions(told: Told) -> Iterator[str]:
    yield "<h2>How sure the detector is</h2>"
    figures = told.tallies.told()
    if "iou" not in figures:
        yield "<p>This detector tells no localization confidence: there is no iou, purity and integrity.</p>"
    yield '<div class="plots">'
    for name in figures:
        counts = told.tallies.histogram(name)
        median = quantile(counts, 0.5)
        says = f"{name}, {MEANS[name]}: half of the detections have {_figure(median)} or less."
        yield figure(f"all-{name}", distribution_plot(name, counts, median=median), says)
    if "iou" in figures:
        says = "Score against iou: the stronger, the more. Low right are things recognised in boxes that fit ill."
        yield figure("plane", plane_plot(told.tallies.plane), says)
    yield "</div>"


def _classes(told: Told) -> Iterator[str]:
    tallies, figures = told.tallies, told.tallies.told()
    order = sorted(range(len(told.labels)), key=lambda each: (-int(tallies.counts[each]), told.labels[each]))
    found = [each for each in order if tallies.counts[each]]
    most = int(tallies.counts.max())

    def row(class_id: int) -> list[str]:
        count = int(tallies.counts[class_id])
        bar = f'<span class="track"><span style="width:{count / most:.1%}"></span></span>{_number(count)}'
        cells = [html.escape(told.labels[class_id]), bar]
        for name in figures:
            counts = tallies.histogram(name, class_id)
            low, middle, high = (_figure(quantile(counts, part)) for part in (0.1, 0.5, 0.9))
            cells.append(f"{middle} <small>{low}-{high}</small>")
        cells += [f"{int(each[class_id]) / count:.0%}" for each in (told.kept, told.review) if each is not None]
        return cells

    head = ["class", "detections", *figures]
    head += [name for name, each in (("kept", told.kept), ("review", told.review)) if each is not None]
    yield "<h2>Classes</h2>"
    yield '<p class="quiet">Median, and from the lowest to the highest tenth.</p>'
    yield table(head, map(row, found[:CLASSES_SHOWN]))
    if more := found[CLASSES_SHOWN:]:
        yield f"<details><summary>{len(more)} more</summary>{table(head, map(row, more))}</details>"
    if absent := [told.labels[each] for each in order if not tallies.counts[each]]:
        named = ", ".join(html.escape(each) for each in absent[:CLASSES_SHOWN])
        more_named = f" and {len(absent) - CLASSES_SHOWN} more" if len(absent) > CLASSES_SHOWN else ""
        yield f'<p class="quiet">Never found: {named}{more_named}.</p>'


def _boxes(told: Told) -> Iterator[str]:
    rule = "by confidence, what NMS ranks by; at most two of a picture"
    yield "<h2>The most certain boxes</h2>"
    yield f'<p class="quiet">First is the most certain, {rule}.</p>'
    yield gallery(told.extremes.most, told.cutouts)
    shown = {(box.position, box.xyxy, box.label) for box in told.extremes.most}
    if least := [box for box in told.extremes.least if (box.position, box.xyxy, box.label) not in shown]:
        yield "<h2>The least certain boxes</h2>"
        yield f'<p class="quiet">First is the least certain, {rule}.</p>'
        yield gallery(least, told.cutouts)


def _quality(told: Told) -> Iterator[str]:
    if told.unmeasured is not None:
        yield "<h2>Against the known objects</h2>"
        yield f"<p>The source has objects; nothing was measured on them: {html.escape(told.unmeasured)}</p>"
    if told.measured is None:
        return
    figures = told.measured.quality.figures
    yield "<h2>Against the known objects</h2>"
    yield f"<p>{html.escape(' '.join([summary(figures), *told.measured.notes]))}</p>"
    yield '<div class="plots">'
    for plot in quality_plots(told.measured.quality):
        yield figure(*plot)
    yield "</div>"
    yield "<details><summary>All figures</summary>"
    yield "<p>AP in percent; everything else from 0 to 1, correlations from -1 to 1.</p>"
    yield f"<table>{figure_rows(figures)}</table></details>"


def _failures(told: Told) -> Iterator[str]:
    if not told.failures.counts:
        return
    rows: list[list[str]] = []
    for reason, count in told.failures.counts.most_common():
        examples = "<br>".join(
            f"{html.escape(name)}: <small>{html.escape(error)}</small>"
            for name, error in told.failures.examples[reason]
        )
        more = f"<br><small>and {_number(count - len(told.failures.examples[reason]))} more</small>"
        rows.append(
            [
                html.escape(reason),
                _number(count),
                examples + (more if count > len(told.failures.examples[reason]) else ""),
            ]
        )
    yield "<h2>Pictures that could not be read</h2>"
    yield table(["reason", "pictures", "examples"], rows, long=(2,))
    yield '<p class="quiet">All of them: errors.parquet.</p>'


def _throughput(told: Told) -> Iterator[str]:
    job, run = told.job, told.job.last_run_seconds
    yield "<h2>Speed</h2>"
    yield (
        f"<p>{_number(job.identity.source.pictures)} pictures in {duration(job.seconds)}, all runs together; "
        f"in {_share(job.engine_seconds, job.seconds)} of that the engine computed.</p>"
    )
    if run is None or not run.pictures:
        return
    stages = [
        (f"read and decode, {run.workers} threads", run.read, run.workers),
        ("infer", run.engine, 1),
        ("write", run.write, 1),
    ]
    rows = [
        [
            html.escape(name),
            f"{seconds:.1f}",
            _share(seconds, run.whole * threads),
            _rate(run.pictures * threads, seconds),
        ]
        for name, seconds, threads in stages
        if seconds is not None
    ]
    yield table(["stage", "seconds at work", "busy", "pictures/s alone"], rows)
    yield (
        f'<p class="quiet">Of the run that finished the job, {_number(run.pictures)} pictures in '
        f"{duration(run.whole)}; the stages work at once, and the busiest is what the others wait for.</p>"
    )


def _identity(told: Told) -> Iterator[str]:
    rows = [
        [html.escape(name), html.escape("none" if value is None else str(value))]
        for name, value in leaves(told.job.identity.model_dump())
    ]
    yield "<h2>What was asked</h2>"
    yield table(["setting", "value"], rows, long=(1,))


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")  # a narrow space, which never breaks


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _rate(pictures: float, seconds: float) -> str:
    return f"{pictures / seconds:.1f}" if seconds else "-"
