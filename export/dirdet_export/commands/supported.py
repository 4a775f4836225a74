"""List MMDetection's two-stage configs, and which of them retrofit and export."""

from fnmatch import fnmatch
from pathlib import Path

import click


@click.command("supported", short_help="List MMDetection's two-stage configs, and which of them retrofit and export.")
@click.argument("patterns", nargs=-1)
@click.option(
    "--check", is_flag=True, help="Try one config of each structure that was not tried yet: minutes each, resumable."
)
@click.option("--quick", is_flag=True, help="With --check: only build and read each detector, in a second.")
@click.option("--again", is_flag=True, help="With --check: also what was tried.")
@click.option("--results", type=click.Path(path_type=Path), help="JSON file of outcomes [dirdet's own].")
@click.option("--page", type=click.Path(path_type=Path), help="Write the outcomes as Markdown to this file.")
@click.option("--time-limit", type=click.FloatRange(min=1), default=600, show_default=True, help="Seconds for each.")
@click.option("--memory", type=click.FloatRange(min=1), default=16, show_default=True, help="Gigabytes for each.")
def command(
    *,
    patterns: tuple[str, ...],
    check: bool,
    quick: bool,
    again: bool,
    results: Path | None,
    page: Path | None,
    time_limit: float,
    memory: float,
) -> None:
    """Lists MMDetection's two-stage configs whose names match any of PATTERNS, such as 'cascade_rcnn/*'; else all.

    Each line has a config, whether it retrofits and exports or the reason against it, and the address of its weights.
    """
    from dirdet_export.coverage.campaign import OUTCOMES, Limits, read_outcomes, try_configs
    from dirdet_export.coverage.groups import group, read_structures, untried
    from dirdet_export.coverage.listing import config_folder, two_stage_configs
    from dirdet_export.coverage.page import counts, render_page, rows

    file = results or OUTCOMES
    listed = [each for each in two_stage_configs() if not patterns or any(fnmatch(each.name, one) for one in patterns)]
    structures = read_structures([each.name for each in listed], config_folder())
    groups = group(structures)
    if check:
        tried = {} if again else read_outcomes(file)
        names = (
            [each.name for each in listed if each.name not in tried] if quick else untried(groups, tried, structures)
        )
        limits = None if quick else Limits(time_s=time_limit, memory_gb=memory)
        with click.progressbar(length=len(names), label="trials", show_pos=True) as bar:
            try_configs(names, file, limits=limits, say=lambda _: bar.update(1))
    found = rows(groups, read_outcomes(file), structures)
    weights = {each.name: each.weights for each in listed}
    for row in found:
        verdict = row.verdict or "not tried"
        click.echo(f"{row.config}  {verdict}{row.detail and f': {row.detail}'}  {weights[row.config] or 'no weights'}")
    click.echo(counts(found))
    if page is not None:
        page.write_text(render_page(found), encoding="utf-8")
