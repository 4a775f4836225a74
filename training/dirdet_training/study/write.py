"""Writes the study's two documents: study.json with all data, study.md for readers."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dirdet_training.mm.collecting import file_hash
from dirdet_training.study.intervals import Interval
from dirdet_training.study.markdown import document
from dirdet_training.study.measurements import Measurer, Run
from dirdet_training.study.results import (
    Measurement,
    Statement,
    gains_over_plain,
    pearson_order,
    table_results,
)

SCHEMA = 1


def write(folder: Path, measurer: Measurer, runs: Sequence[Run]) -> Path:
    """Writes both documents; returns the path of study.md."""
    results = table_results(measurer, runs)
    pearson, over_plain = pearson_order(measurer, runs), gains_over_plain(measurer, runs)
    path = folder / "speed.json"
    speed: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    told = {
        "schema": SCHEMA,
        "annotations": {split: _file(path) for split, path in measurer.annotations.items()},
        "runs": [
            {
                "role": run.role,
                "config": run.config,
                "seed": run.seed,
                "checkpoint": _file(run.checkpoint),
                "nms_iou_threshold": run.nms_iou_threshold,
                "max_detections": run.max_detections,
                "correlations": {name: _number(value) for name, value in measurer.known_correlations(run).items()},
            }
            for run in runs
        ],
        "tables": [
            {
                "number": result.table.number,
                "title": result.table.title,
                "rows": [
                    {
                        "label": row.row.label,
                        "role": row.row.role,
                        "way": row.row.way,
                        "note": row.row.note,
                        "paper": dict(row.row.paper) | ({"FPS": row.row.fps} if row.row.fps else {}),
                        "seeds": list(row.seeds),
                        "untuned": _measurement(row.untuned),
                        "tuned": _measurement(row.tuned),
                    }
                    for row in result.rows
                ],
                "order": [_statement(one) for one in result.statements],
            }
            for result in results
        ],
        "pearson_order": [_statement(one) for one in pearson],
        "dir_over_plain": {name: _interval(gain) for name, gain in over_plain.items()},
        "speed": speed,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(told, indent=1, allow_nan=False), encoding="utf-8")
    text = document(
        results,
        facts=_facts(measurer, runs),
        pearson=pearson,
        over_plain=over_plain,
        speed={way: f"{found['fps']:.1f}, x{found['ratio']:.2f}" for way, found in speed.items()},
    )
    (folder / "study.md").write_text(text, encoding="utf-8")
    return folder / "study.md"


def _facts(measurer: Measurer, runs: Sequence[Run]) -> list[str]:
    tune, report = measurer.annotations["tune"], measurer.annotations["report"]
    facts = [f"Reported on {report.name}; tuned figures: settings chosen on {tune.name}."]
    if tune.resolve() == report.resolve():
        facts.append("Settings were chosen on the pictures that are reported: tuned figures are optimistic.")
    for role in dict.fromkeys(run.role for run in runs):
        same = [run for run in runs if run.role == role]
        facts.append(f"{role}: {same[0].config}, seeds {', '.join(str(run.seed) for run in same)}.")
    return facts or ["Nothing is collected yet."]


def _file(path: Path) -> dict[str, str | None]:
    """Describes a file by its name and its folder's; the folders above have no meaning on another machine."""
    return {"path": f"{path.parent.name}/{path.name}", "sha256": file_hash(path) if path.is_file() else None}


def _number(value: float | None) -> float | None:
    """Replaces nan by None, because JSON has no nan."""
    return None if value is None or math.isnan(value) else value


def _interval(found: Interval) -> dict[str, Any]:
    return {"mean": _number(found.mean), "half_width": found.half_width, "values": list(found.values)}


def _measurement(found: Measurement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    intervals: Mapping[str, Mapping[str, Interval]] = {"figures": found.figures, "gains": found.gains}
    return {"nms": found.trial} | {
        part: {name: _interval(one) for name, one in told.items()} for part, told in intervals.items()
    }


def _statement(told: Statement) -> dict[str, Any]:
    return {
        "text": told.text,
        "paper": told.paper,
        "difference": _interval(told.difference),
        "verdict": told.verdict,
    }
