"""The parts of a document that measurements' files give: tables between marks that name the file.

A part begins with `<!-- from benchmarks/nms.json -->`, a path from the document's folder, and ends with `<!-- end -->`.
With `<!-- from benchmarks/nms.json, goals -->` it shows the rows that have a goal, and no others.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dirdet.bench.report import SCHEMA
from dirdet.bench.tables import table
from dirdet.errors import ParameterError

PART = re.compile(r"(?P<mark><!-- from (?P<path>[^\s,]+)(?P<goals>, goals)? -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def filled(document: Path) -> str:
    """The document's text as the files that it names give it.

    Raises:
        ParameterError: a file is not there, or is no measurement.
    """

    def part(found: re.Match[str]) -> str:
        content = read_report(document.parent / found["path"])
        shown = table(content, only_goals=found["goals"] is not None)
        return f"{found['mark']}{shown}\n\n{_origin(content)}\n{found['end']}"

    return PART.sub(part, document.read_text(encoding="utf-8"))


def read_report(path: Path, *, named_by: str = "document") -> Mapping[str, Any]:
    """What a `dirdet bench` wrote with --json.

    Args:
        path: the file.
        named_by: the parameter that names it, for errors.

    Raises:
        ParameterError: it is not there, or is no measurement.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
    except OSError as exc:
        raise ParameterError(named_by, f"it names {path}, which cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ParameterError(named_by, f"it names {path}, which no `dirdet bench` wrote") from exc
    if schema != SCHEMA:
        raise ParameterError(named_by, f"it names {path} of schema {schema!r}; this dirdet reads {SCHEMA}")
    return content


def _origin(content: Mapping[str, Any]) -> str:
    """On what it was measured, and how to do it again."""
    machine: Mapping[str, Any] = content["machine"]
    told = [f"{machine['cores']} cores of an {machine['processor']}", f"Python {machine['python']}"]
    if content["facts"].get("gpu"):
        told.append(str(content["facts"]["gpu"]))
    told += [f"{name} {number}" for name, number in machine["packages"].items() if name != "dirdet"]
    load = f"load average {machine['load_average']:g} before"
    return f"{content['what']}. {', '.join(told)}; {load}.\n\n    {content['command']}"
