"""What the reports have in common: their look, and figures of which each says what it shows."""

import html

from dirdet.quality.table import shown

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --line: #d0d7de; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #14171a; --line: #3a4048; } }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 1rem/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper); }
.plots { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0; }
figure svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; max-width: 36rem; }
td, th { padding: .25rem .5rem; text-align: left; font-weight: normal; border-bottom: 1px solid var(--line);
         overflow-wrap: anywhere; }
td { text-align: right; font-variant-numeric: tabular-nums; }
"""


def figure(name: str, svg: str, says: str) -> str:
    """A plot with its sentence."""
    return f'<figure>{svg}<figcaption id="{name}-says">{html.escape(says)}</figcaption></figure>'


def figure_rows(figures: dict[str, float]) -> str:
    """The rows of a table of figures."""
    return "\n".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{shown(name, value)}</td></tr>'
        for name, value in figures.items()
    )
