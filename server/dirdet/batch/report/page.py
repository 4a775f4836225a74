"""The report as HTML: one file that asks for nothing, follows light and dark, and fits a phone."""

import base64
import html
from collections.abc import Iterable, Sequence

from dirdet.batch.report.extremes import Box
from dirdet.quality.page import STYLE

# Nothing is fetched and no script runs, whatever a picture is called.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
LOOK = (
    STYLE
    + """
:root { --soft: #f3f5f7; --bar: #2f7fd1; --quiet: #57606a; }
@media (prefers-color-scheme: dark) { :root { --soft: #1e2328; --bar: #4f97e0; --quiet: #9aa4af; } }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 48rem; }
p.quiet, figcaption { color: var(--quiet); font-size: .875rem; }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); margin: 1rem 0; }
.tiles div { background: var(--soft); border-radius: .5rem; padding: .75rem; }
.tiles b { display: block; font-size: 1.4rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--quiet); font-size: .875rem; }
.boxes { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
.boxes figure { background: var(--soft); border-radius: .5rem; overflow: hidden; }
.boxes img, .boxes .none { display: flex; width: 100%; aspect-ratio: 1; object-fit: contain; align-items: center;
                           justify-content: center; text-align: center; }
.boxes .none { padding: .5rem; box-sizing: border-box; color: var(--quiet); font-size: .8rem; overflow-wrap: anywhere; }
.boxes figcaption { padding: .5rem .6rem .6rem; color: var(--ink); font-size: .8rem; line-height: 1.4; }
.boxes dl { display: grid; grid-template-columns: auto 1fr; margin: .15rem 0; gap: 0 .5rem; }
.boxes dt { color: var(--quiet); }
.boxes dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.boxes .file { color: var(--quiet); overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.wide table { max-width: none; }
.wide td, .wide th { white-space: nowrap; overflow-wrap: normal; }
.wide .long { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; text-align: left; }
thead th { color: var(--quiet); font-size: .875rem; text-align: right; }
thead th:first-child, thead th.long { text-align: left; }
td small { color: var(--quiet); }
.track { display: inline-block; width: 5rem; height: .6rem; margin-right: .5rem; }
.track span { display: block; height: 100%; min-width: 1px; border-radius: .15rem; background: var(--bar); }
details { margin: 1rem 0; }
summary { cursor: pointer; }
"""
)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="dirdet-report" content="{fingerprint}">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""


def page(title: str, sections: Iterable[str], *, fingerprint: str) -> str:
    """The file; sections are HTML."""
    return PAGE.format(
        policy=POLICY, fingerprint=fingerprint, title=html.escape(title), style=LOOK, body="\n".join(sections)
    )


def tiles(told: Sequence[tuple[str, str]]) -> str:
    """Figures to be seen first: value and what it is."""
    return (
        '<div class="tiles">'
        + "".join(f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for value, name in told)
        + "</div>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, long: Sequence[int] = ()) -> str:
    """A table that scrolls by itself where it is wider than the screen; cells are HTML, the first of a row its name.

    Args:
        head: of each column.
        rows: cells.
        long: columns of words, which wrap.
    """

    def cell(kind: str, place: int, text: str) -> str:
        scope = ' scope="row"' if kind == "th" else ""
        return f"<{kind}{scope}{' class=long' if place in long else ''}>{text}</{kind}>"

    heads = "".join(
        f'<th scope="col"{" class=long" if place in long else ""}>{html.escape(name)}</th>'
        for place, name in enumerate(head)
    )
    body = "\n".join(
        "<tr>" + "".join(cell("td" if place else "th", place, text) for place, text in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def gallery(boxes: Iterable[Box], pictures: dict[Box, bytes | str]) -> str:
    """Boxes as pictures, their figures below."""
    return '<div class="boxes">\n' + "\n".join(_card(box, pictures[box]) for box in boxes) + "\n</div>"


def _card(box: Box, picture: bytes | str) -> str:
    label, name = html.escape(box.label), html.escape(box.picture)
    if isinstance(picture, bytes):
        encoded = base64.b64encode(picture).decode("ascii")
        shown = f'<img alt="{label} in {name}" loading="lazy" src="data:image/jpeg;base64,{encoded}">'
    else:
        shown = f'<div class="none">{html.escape(picture)}</div>'
    figures = "".join(
        f"<dt>{figure}</dt><dd>{value:.2f}</dd>" for figure, value in box.figures.items() if value is not None
    )
    return (
        f'<figure>{shown}<figcaption><b>{label}</b><dl>{figures}</dl><div class="file">{name}</div></figcaption>'
        "</figure>"
    )
