"""All goals of all measurements in one table: what was measured, and whether that is enough."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dirdet.bench.one_after_another import Outcome
from dirdet.bench.tables import goal_cells

HEAD = ("measurement", "what", "measured", "goal", "")
INFORMS = "informs only, no goal"


def goals_table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: a line for each goal; of rows that share one, the worst."""
    lines = [cells for outcome in outcomes for cells in _lines(outcome)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (HEAD, ["---"] * len(HEAD), *lines))


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many goals were met, missed and not measured, in a line."""
    verdicts = [cells[-1].partition(":")[0] for outcome in outcomes for cells in _lines(outcome)]
    told = [(name, verdicts.count(name)) for name in ("met", "missed", "failed", "not run")]
    return ", ".join(f"{number} {name}" for name, number in told if number)


def _lines(outcome: Outcome) -> list[Sequence[str]]:
    name = outcome.planned.name
    if outcome.state != "ran":
        verdict = f"{outcome.state}: {outcome.why}".replace("|", "/")
        return [(name, "", "", goal, verdict) for goal in outcome.planned.goals or ("",)]
    content = json.loads(outcome.report.read_text(encoding="utf-8"))
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in content["rows"]:
        if row["goal"]:
            alike.setdefault((row["name"], str(row["against"]), json.dumps(row["goal"])), []).append(row)
    if not alike:
        return [(name, content["what"], "", "", INFORMS)]
    return [(name, *_worst(rows)) for rows in alike.values()]


def _worst(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str, str, str]:
    """The row that is furthest from its goal, or least beyond it."""
    measured = [row for row in rows if row["median"] is not None]
    if not measured:
        return rows[0]["name"], "", goal_cells(rows[0])[1], "not run: nothing was measured"
    worst = max(measured, key=_distance)
    figure, goal, verdict = goal_cells(worst)
    if worst["ratio"] is None:
        goal = f"{goal} {worst['unit']}".rstrip()
    among = f", worst of {len(rows)}: {worst['group']}" if len(rows) > 1 else ""
    return f"{worst['name']}{among}", figure, goal, verdict


def _distance(row: Mapping[str, Any]) -> float:
    """The larger, the worse."""
    figure = row["median"] if row["ratio"] is None else row["ratio"]["median"]
    return figure if "at_most" in row["goal"] else -figure
