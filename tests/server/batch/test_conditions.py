"""Conditions on detections in SQL, and what they split."""

import csv
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import PART, Run, rows

from dirdet.batch import filter_conditions
from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.filter_conditions import Condition, read_condition
from dirdet.batch.review_queue import queue_of
from dirdet.batch.rows import detection_schema
from dirdet.bundle.bundle import Category, Manifest
from dirdet.bundle.shipped import open_bundle
from dirdet.errors import ParameterError

SHIPPED = open_bundle(None).manifest


def read(text: str, manifest: Manifest = SHIPPED) -> Condition:
    return read_condition(text, manifest, parameter="keep")


def taken(text: str, found: list[dict[str, Any]], manifest: Manifest = SHIPPED) -> list[bool]:
    table = arrow().Table.from_pylist(found, schema=detection_schema())
    return read(text, manifest).holds(table).to_pylist()


@given(
    st.sampled_from([">=", "<=", "=", "<>", ">", "<"]),
    st.lists(st.tuples(st.none() | st.sampled_from([0.0, 0.25, 0.5]), st.sampled_from(["bird", "fish"])), max_size=6),
)
def test_what_is_true_is_taken_in_its_order(sign: str, values: list[tuple[float | None, str]]) -> None:
    compare: dict[str, Callable[[float], bool]] = {
        ">=": (0.25).__le__, "<=": (0.25).__ge__, "=": (0.25).__eq__, "<>": (0.25).__ne__, ">": (0.25).__lt__,
        "<": (0.25).__gt__,
    }  # fmt: skip
    found = [{"iou": iou, "label": label} for iou, label in values]
    expected = [iou is not None and compare[sign](iou) and label == "bird" for iou, label in values]
    assert taken(f"iou {sign} 0.25 AND label = 'bird'", found) == expected


def test_what_is_absent_is_neither_true_nor_false() -> None:
    found: list[dict[str, Any]] = [{"iou": None}, {"iou": 0.1}, {"iou": 0.9}]
    assert taken("iou > 0.5", found) == [False, False, True]
    assert taken("NOT iou > 0.5", found) == [False, True, False]
    assert taken("(iou > 0.5) IS NOT TRUE", found) == [True, True, False]
    assert taken("iou IS NULL OR iou > 0.5", found) == [True, False, True]
    assert taken("iou > 0.5", []) == []


@pytest.mark.parametrize("name", ["it's", 'a "b"', "a or b)", "bird -- fish", "';", "Vögel", "%"])
def test_a_class_of_any_name_is_found(name: str) -> None:
    manifest = SHIPPED.model_copy(update={"categories": [Category(name=name, category_id=1)]})
    quoted = name.replace("'", "''")
    found = [{"label": name}, {"label": "other"}]
    assert taken(f"label = '{quoted}'", found, manifest) == [True, False]
    assert taken(f"label NOT IN ('{quoted}')", found, manifest) == [False, True]


def test_sql_as_it_is_known() -> None:
    found = [{"x1": 0.0, "x2": 30.0, "picture": "day/1.jpg", "label": "bird"}, {"x1": 0.0, "x2": 9.0, "label": "fish"}]
    for text in (
        "x2 - x1 BETWEEN 10 AND 50", "picture LIKE 'day/%'", "upper(label) = 'BIRD'", "Label == 'bird'",
        "detections.x2 > 10 -- wide ones", "regexp_matches(label, '^b')", "CASE WHEN x2 > 10 THEN true ELSE false END;",
        "abs(x1 - x2) >= 10 AND x2 <> 9",
    ):  # fmt: skip
        assert taken(text, found) == [True, False], text


@given(
    st.text()
    | st.lists(st.sampled_from(["iou", ">=", "0.5", "and", "not", "(", ")", "label", "'x'", ";"])).map(" ".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ParameterError):
        read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a condition, got nothing"),
        ("iou > 0.5 score > 1", 'syntax error at or near "score" at character 11'),
        ("(iou > 0.5", "syntax error .* at character 8"),
        ("label = 'é' 'x", "unterminated string literal at character 13"),
        ("iuo > 0.5", "unknown column 'iuo' at character 1, found 'iuo > 0.5'; known: position, picture, x1"),
        ("score > 0.5 and\nnot x.iou > 1", r"unknown column 'x\.iou' at character 21"),
        ("label = 'brid'", "unknown class 'brid' at character 9, .*; known: bird, "),
        ("iou > 1 or label in ('bird', 'brid')", "unknown class 'brid' at character 30"),
        ('label == "bird"', "expected the class 'bird' in single quotes at character 10"),
        ("iou", "expected a truth value, got a value of type DOUBLE"),
        ("label = 1", "Could not convert string 'bird'"),
        ("iou > 'x'", "Could not convert string 'x'"),
        ("regexp_matches(label, '(')", r"missing \)"),
        ("not " * 900 + "true", "too many nested expressions"),
        ("(" * 1500 + "true" + ")" * 1500, "depth limit"),
        ("\ud800", "not text in UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("iou > 1; DROP TABLE detections", "expected one expression"),
        ("true; SELECT 1", "expected one expression"),
        ("true UNION SELECT 1", "expected one expression"),
        ("true ORDER BY iou", "expected one expression"),
        ("true LIMIT 1", "expected one expression"),
        ("1) FROM range(10) WHERE (true", "syntax error"),
        ("iou > (SELECT 1)", "got a subquery at character 7"),
        ("EXISTS (FROM read_text('/etc/passwd'))", "got a subquery"),
        ("label IN (SELECT content FROM '/etc/passwd')", "got a subquery"),
        ("read_text('/etc/passwd') = ''", "unknown function 'read_text'"),
        ("getenv('HOME') = ''", "unknown function 'getenv'"),
        ("current_setting('threads') = 1", "unknown function 'current_setting'"),
        ("random() < 0.5", "unknown function 'random'"),
        ("repeat('a', 2000000000) = ''", "unknown function 'repeat'"),
        ("sum(iou) > 1", "unknown function 'sum' at character 1, .*; known: abs, ceil"),
        ("abs(repeat(label, 9)) > 1", "unknown function 'repeat' at character 5"),
        ("row_number() OVER () > 1", "got a window"),
        ("$1 > 1", "got a parameter"),
    ],
)
def test_queries_files_settings_and_functions_that_are_not_offered_are_refused(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read(text)


@pytest.mark.parametrize(
    "query",
    [
        "FROM read_text('{file}')", "FROM '{file}'", "ATTACH '{file}'", "COPY (SELECT 1) TO '{file}.new'",
        "LOAD httpfs", "SET threads = 8", "SET enable_external_access = true", "FROM found",
    ],
)  # fmt: skip
def test_duckdb_itself_reads_no_file_and_takes_no_setting(query: str, tmp_path: Path) -> None:
    """Even of a query that would come past the checks."""
    duckdb = pytest.importorskip("duckdb")
    found = arrow().table({"iou": [1.0]})  # what a variable of Python is called
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        read("iou > 0.5").connection.execute(query.format(file=tmp_path / "secret.csv")).fetchall()
    assert found.num_rows == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_condition_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_conditions, "TIME_LIMIT_S", 0.05)
    connection = read("iou > 0.5").connection
    slow = Condition("slow", "keep", "SELECT count(*) > 0 FROM range(1000000) a, range(1000000) b", connection)
    with pytest.raises(ParameterError, match="keep: takes more than"):
        slow.holds(arrow().table({"iou": [1.0]}))


def test_a_job_is_split_into_labels_and_a_queue(run: Run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [many, "--out", out, "--limit", PART, "--score-threshold", 0.05]
    run(*arguments, "--keep", "confidence>=0.4", "--review", "score>=0.1")
    everything = rows(out, "detections")
    kept, queue = (parquet().read_table(out / f"{name}.parquet").to_pylist() for name in ("kept", "review"))
    assert kept == [row for row in everything if row["confidence"] >= 0.4]
    expected = [row for row in everything if row["confidence"] < 0.4 and row["score"] >= 0.1]
    for row in queue:
        assert row.pop("reason") == f"confidence {row['confidence']:.3g}: not confidence>=0.4"
    assert queue == sorted(expected, key=lambda row: (row["confidence"], row["position"]))
    with (out / "review.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(row["picture"], row["label"], float(row["x1"])) for row in listed] == [
        (row["picture"], row["label"], row["x1"]) for row in queue
    ]
    assert all(row["reason"].endswith("not confidence>=0.4") for row in listed)
    assert kept
    assert queue
    again = run(*arguments)  # other conditions do not make another job
    assert "already finished" in again.stdout
    assert "warning" not in again.stderr
    again = run(*arguments, "--review", "score>=0.01")
    assert "--review has the score 0.01, but this job has no detection with a score of 0.05 or less" in again.stderr
    run(*arguments)
    assert not {each.name for each in out.iterdir()} & {"kept.parquet", "review.parquet", "review.csv"}


def test_a_reason_names_each_term_that_is_not_met() -> None:
    keep, review = read("iou >= 0.8 AND score > 0.5 AND label IN ('bird', 'fish')"), read("score > 0")
    columns = {"iou": [0.41, None, 0.9], "score": [0.9, 0.25, 0.9], "label": ["bird", "tool", "=tool"]}
    table = arrow().table(columns | {"confidence": [0.1, 0.2, 0.3], "position": [0, 1, 2]})
    assert queue_of(table, keep=keep, review=review)["reason"].to_pylist() == [
        "iou 0.41: not iou >= 0.8",
        "iou missing: not iou >= 0.8; score 0.25: not score > 0.5; label tool: not label IN ('bird', 'fish')",
        "label =tool: not label IN ('bird', 'fish')",
    ]
    assert queue_of(table.slice(0, 1), keep=None, review=review)["reason"].to_pylist() == ["meets score > 0"]
    assert queue_of(table.slice(0, 0), keep=keep, review=review).num_rows == 0
    either = read("iou > 0.8 OR score > 0.95")
    assert queue_of(table.slice(0, 1), keep=either, review=review)["reason"].to_pylist() == [
        "iou 0.41, score 0.9: not iou > 0.8 OR score > 0.95"
    ]


def test_the_numbers_that_a_condition_cuts_at_are_known() -> None:
    condition = read("(iou >= 0.8 AND 0.5 < score) OR NOT iou BETWEEN 0.2 AND 1 OR x1 > x2 OR label = 'bird'")
    assert condition.cuts == {"iou": (0.8, 0.2, 1.0), "score": (0.5,)}


def test_what_is_neither_kept_nor_not_kept_is_for_a_person(run: Run, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(many, "--out", out, "--limit", 2, "--keep", "length(mask) > 1", "--review", "true")
    found = rows(out, "detections")
    assert {row["mask"] for row in found} == {None}
    assert parquet().read_table(out / "kept.parquet").num_rows == 0
    assert parquet().read_table(out / "review.parquet").num_rows == len(found)


def test_a_condition_that_does_not_fit_is_refused_before_the_job(run: Run, many: Path, tmp_path: Path) -> None:
    for option in ("--keep", "--review", "--annotate"):
        with pytest.raises(ParameterError, match=f"{option[2:]}: unknown class 'brid'"):
            run(many, "--out", tmp_path / "out", option, "label = 'brid'")
    assert not (tmp_path / "out").exists()


def test_a_figure_that_is_not_told_is_refused(manifest: Manifest) -> None:
    plain = manifest.model_copy(update={"localization_confidence": None})
    with pytest.raises(ParameterError, match="does not report iou at character 20"):
        read("not (score>0.5 and iou>0.5)", plain)
