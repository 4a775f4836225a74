"""Renders reports as self-contained HTML from Jinja templates; the page follows the reader's light or dark setting."""

from typing import Any, NamedTuple

from dirdet.extras import import_extra
from dirdet.quality.table import shown


class Plot(NamedTuple):
    """A figure of a report: its name, its SVG, and a sentence that explains it."""

    name: str
    svg: str
    sentence: str


def render(template: str, *, package: str = "dirdet.quality", **values: Any) -> str:  # noqa: ANN401
    """Renders a page; every value is escaped.

    Args:
        template: its name.
        package: the package of the templates; templates of `dirdet.quality` can be extended and imported too.
        **values: values that the template uses.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    jinja = import_extra("jinja2", needs="a report needs", extra="quality")
    loader = jinja.ChoiceLoader([jinja.PackageLoader(each) for each in dict.fromkeys([package, "dirdet.quality"])])
    environment = jinja.Environment(
        loader=loader, autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(values)


def figure_rows(figures: dict[str, float]) -> list[tuple[str, str]]:
    """Name and formatted value of every figure."""
    return [(name, shown(name, value)) for name, value in figures.items()]
