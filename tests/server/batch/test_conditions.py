"""Conditions on detections, and what they split."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import PART, Run, rows

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.expression import (
    COMPARISONS,
    NUMBERS,
    Comparison,
    Condition,
    Junction,
    Negation,
    parse,
    to_arrow,
    written_out,
)
from dirdet.batch.split import check_tells
from dirdet.bundle import Manifest
from dirdet.errors import ParameterError

figures = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
texts = st.sampled_from(["bird", "a or b)", 'a "b"'])
comparisons = st.builds(
    Comparison, st.sampled_from(["iou", "score"]), st.sampled_from(sorted(COMPARISONS)), st.sampled_from([0.25, 0.5])
) | st.builds(
    Comparison, st.just("label"), st.sampled_from(["==", "!="]), st.sampled_from(["bird", "a or b)", 'a "b"'])
)
conditions = st.recursive(
    comparisons,
    lambda below: st.builds(Negation, below) | st.builds(Junction, st.sampled_from(["and", "or"]), below, below),
    max_leaves=8,
)


def holds(condition: Condition, row: dict[str, Any]) -> bool:
    if isinstance(condition, Comparison):
        value = row[condition.column]
        return value is not None and bool(COMPARISONS[condition.sign](value, condition.value))
    if isinstance(condition, Negation):
        return not holds(condition.of, row)
    sides = [holds(condition.left, row), holds(condition.right, row)]
    return all(sides) if condition.kind == "and" else any(sides)


@given(conditions)
def test_what_is_written_is_what_is_read(condition: Condition) -> None:
    assert parse(written_out(condition), parameter="keep") == condition


@given(conditions, st.lists(st.tuples(figures, figures, st.sampled_from(["bird", "fish"])), max_size=6))
def test_arrow_filters_as_the_condition_says(
    condition: Condition, values: list[tuple[float | None, float | None, str]]
) -> None:
    pa = arrow()
    schema = pa.schema([("iou", pa.float64()), ("score", pa.float64()), ("label", pa.string())])
    told: list[dict[str, Any]] = [dict(zip(("iou", "score", "label"), row, strict=True)) for row in values]
    table = pa.Table.from_pylist(told, schema=schema)
    assert table.filter(to_arrow(condition)).to_pylist() == [row for row in told if holds(condition, row)]


@given(
    st.text() | st.lists(st.sampled_from(["iou", ">=", "0.5", "and", "not", "(", ")", "label", '"x"'])).map(" ".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ParameterError):
        parse(text, parameter="keep")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected one of score"),
        ("iuo > 0.5", "expected one of .* at character 1, found 'iuo > 0.5'"),
        ("iou > 'x'", "expected a number at character 7"),
        ("label > 'x'", "expected == or != at character 7"),
        ("iou > 0.5 score > 1", "expected `and`, `or` or the end at character 11"),
        ("(iou > 0.5", r"expected \) at character 11"),
        ("__import__('os')", "expected one of"),
        ("(" * 1000 + "iou > 0", "at most 50 brackets"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        parse(text, parameter="keep")


def test_and_binds_before_or() -> None:
    assert parse("iou>0 or iou<1 and score>0", parameter="keep") == parse(
        "iou>0 or (iou<1 and score>0)", parameter="keep"
    )
    assert "iou" in NUMBERS


def test_a_job_is_split_into_labels_and_a_queue(run: Run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [many, "--out", out, "--limit", PART]
    run(*arguments, "--keep", "confidence>=0.4", "--review", "score>=0.1")
    everything = rows(out, "detections")
    kept, queue = (parquet().read_table(out / f"{name}.parquet").to_pylist() for name in ("kept", "review"))
    assert kept == [row for row in everything if row["confidence"] >= 0.4]
    expected = [row for row in everything if row["confidence"] < 0.4 and row["score"] >= 0.1]
    assert queue == sorted(expected, key=lambda row: (row["confidence"], row["position"]))
    assert kept
    assert queue
    again = run(*arguments)  # other conditions do not make another job
    assert "finished already" in again.stdout
    assert not (out / "kept.parquet").exists()


def test_a_figure_that_is_not_told_is_refused(manifest: Manifest) -> None:
    plain = manifest.model_copy(update={"localization_confidence": None})
    with pytest.raises(ParameterError, match="does not tell iou"):
        check_tells(parse("not (score>0.5 and iou>0.5)", parameter="keep"), plain, parameter="keep")
