"""The page of what was tried: which configs retrofit and export, and the reasons against the others."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dirdet_export.coverage.groups import Structure
from dirdet_export.coverage.outcome import Outcome
from dirdet_export.coverage.packages import installed

HEAD = """# MMDetection's two-stage configs

Written by `make test-coverage`. Configs whose detectors consist of the same parts form a group: they differ in depth,
width, grouped convolutions, numbers of classes, order of the picture's channels, schedule and weights. One config of
each group is tried. A detector with random weights gets a DIR head, which is trained for a step on the frozen detector
(retrofit). The result is exported. The proof of parity compares the bundle's detections with MMDetection's from the
same picture files. The weights are drawn so that the detector detects; the pictures are small, the heads narrow, and a
stage of the backbone has two blocks.

- **proven**: this config was retrofitted and exported with parity.
- **by group**: another config of its group was; this one was built and read.
- **by parts**: the trunk (pipeline, backbone and neck) of one config was proven, and the heads of another; this one,
  which has both, was built and read.
- **accepted**: it was built and read; nothing above holds yet.
- **refused**: the reasons are below.
- **needs a package**: it imports a package that was not installed, and could not be read.
"""

PROVEN, BY_GROUP, BY_PARTS = "proven", "by group", "by parts"
ACCEPTED, REFUSED, FAILS = "accepted", "refused", "fails"
NEEDS = "needs a package"


@dataclass(frozen=True, slots=True)
class Row:
    """A config's line.

    Attributes:
        config: its name.
        verdict: PROVEN, BY_GROUP, BY_PARTS, ACCEPTED, REFUSED, NEEDS or FAILS; empty if it was not tried.
        detail: boxes compared, the configs that stand for it, or the reason.
        imports: packages that the config imports itself, as they were installed.
    """

    config: str
    verdict: str
    detail: str = ""
    imports: str = ""


def rows(
    groups: Sequence[Sequence[str]], outcomes: dict[str, Outcome], structures: Mapping[str, Structure]
) -> list[Row]:
    """A line for each config, by name."""
    works = sorted(name for name, outcome in outcomes.items() if outcome.works and name in structures)
    trunks = {structures[name].trunk: name for name in reversed(works)}
    heads = {structures[name].heads: name for name in reversed(works)}

    def by_parts(name: str) -> str | None:
        own = structures.get(name)
        if own is None or own.trunk not in trunks or own.heads not in heads:
            return None
        return f"{trunks[own.trunk]}, {heads[own.heads]}"

    found = [row for members in groups for row in _of_group(members, outcomes)]
    parts = {row.config: by_parts(row.config) for row in found if row.verdict == ACCEPTED}
    told = [
        Row(row.config, BY_PARTS, detail, row.imports) if (detail := parts.get(row.config)) else row for row in found
    ]
    return sorted(told, key=lambda row: row.config)


def _of_group(members: Sequence[str], outcomes: dict[str, Outcome]) -> list[Row]:
    known = {name: outcomes[name] for name in members if name in outcomes}
    proof = next((name for name, outcome in known.items() if outcome.works), None)
    failed = next((outcome for outcome in known.values() if outcome.exported and outcome.reason), None)
    found: list[Row] = []
    for name in members:
        outcome = known.get(name)
        if outcome is None:
            found.append(Row(name, ""))
        elif outcome.lacks:
            found.append(Row(name, NEEDS, outcome.lacks))
        elif outcome.works:
            found.append(Row(name, PROVEN, f"{outcome.detections} boxes", outcome.imports))
        elif outcome.reason:
            found.append(Row(name, FAILS if outcome.broken else REFUSED, outcome.reason))
        elif proof is not None:
            found.append(Row(name, BY_GROUP, proof))
        elif failed is not None:
            found.append(Row(name, FAILS if failed.broken else REFUSED, failed.reason))
        else:
            found.append(Row(name, ACCEPTED, imports=outcome.imports))
    return found


def counts(found: Sequence[Row]) -> str:
    """One line: how many configs there are, and how many of each verdict."""
    number = Counter(row.verdict for row in found)
    good = number[PROVEN] + number[BY_GROUP] + number[BY_PARTS]
    return (
        f"{len(found)} two-stage configs: {good} ({good / max(1, len(found)):.0%}) retrofit and export with parity, "
        f"{number[PROVEN]} of them proven, {number[BY_GROUP]} by their group and {number[BY_PARTS]} by their parts; "
        f"{number[ACCEPTED]} accepted, {number[REFUSED]} refused, {number[NEEDS]} need a package that was not "
        f"installed, {number[FAILS]} fail, {number['']} not tried"
    )


def render_page(found: Sequence[Row]) -> str:
    """The page in Markdown."""
    lines = [
        HEAD,
        f"{counts(found)}.",
        "",
        f"Installed when this page was written: {installed()}.",
        "",
        "| config | verdict | boxes compared, or proven by |",
        "|---|---|---|",
    ]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in found:
        if row.verdict in (REFUSED, FAILS):
            by_reason[row.detail].append(row.config)
        detail = row.detail if row.verdict in (PROVEN, BY_GROUP, BY_PARTS, NEEDS) else ""
        detail = ", ".join(part for part in (detail, row.imports and f"with {row.imports}") if part) or "-"
        lines.append(f"| {row.config} | {row.verdict or 'not tried'} | {detail} |")
    if by_reason:
        lines += ["", "## Reasons", ""]
    for reason, names in sorted(by_reason.items(), key=lambda pair: -len(pair[1])):
        lines.append(f"- {len(names)}: `{reason.replace('`', '')}` ({', '.join(names)})")
    return "\n".join(lines) + "\n"
