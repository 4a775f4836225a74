"""A field of a detection is declared once: JSON, rows and the API's schema follow."""

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirdet.api.schemas import CandidateOut, DetectionOut
from dirdet.detection import FIGURES, Candidate, Detection, all_to_json
from dirdet.detection.detection import example
from dirdet.detection.field_declaration import About, Box, fields_of
from dirdet.detection.rle import Rle
from dirdet.detection.rows import COLUMNS, from_row, to_rows

BIRD: Detection = example(Detection)
MASKED = replace(BIRD, mask=Rle((3, 4), "363"))
PLAIN = Detection(box_xyxy=(0, 0, 1, 1), label="", class_id=0, category_id=0, score=0, confidence=0)
NAMES = [each.name for each in fields_of(Detection)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider(Detection):
    """A detection with two fields more."""

    sharpness: Annotated[float | None, About("how sharp; null where not measured", example=0.25)] = None
    inner_box_xyxy: Annotated[Box, About("a smaller box", json="inner_box", example=(1.0, 2.0, 3.0, 4.0))]


@pytest.mark.parametrize("detection", [BIRD, MASKED, PLAIN, example(Wider)])
def test_json_goes_both_ways(detection: Detection) -> None:
    told = json.loads(json.dumps(detection.to_json(), allow_nan=False))
    assert type(detection).from_json(told) == detection
    assert type(detection).from_json(told | {"of a later version": 1}) == detection


@pytest.mark.parametrize("detection", [BIRD, MASKED, PLAIN])
def test_rows_go_both_ways(detection: Detection) -> None:
    [row] = to_rows([detection])
    assert list(row) == [column.name for column in COLUMNS]
    assert from_row(row | {"picture": "a.png"}, (3, 4)) == detection


def test_a_detection_is_a_candidate_with_more() -> None:
    assert [each.name for each in fields_of(Candidate)] == [
        name for name in NAMES if name not in ("confidence", "mask")
    ]
    candidate: Candidate = example(Candidate)
    assert set(candidate.to_json()) == set(BIRD.to_json()) - {"confidence", "mask"}


@given(st.floats(0, 1, width=32))
def test_a_candidate_has_all_digits_of_the_network(score: float) -> None:
    candidate: Candidate = replace(example(Candidate), score=score)
    assert candidate.to_json()["score"] == pytest.approx(score, rel=1e-8)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1) | st.none(), st.floats(0, 20_000)), max_size=20),
    st.sampled_from([Candidate, Detection]),
)
def test_many_are_written_as_each_alone(numbers: list[tuple[float, float | None, float]], cls: type[Candidate]) -> None:
    made = [
        replace(example(cls), score=score, iou=iou, box_xyxy=(0, 0, side, side / 3)) for score, iou, side in numbers
    ]
    told = all_to_json(made)
    assert told == [each.to_json() for each in made]
    digits = 9 if cls is Candidate else 5
    for each, (score, iou, side) in zip(told, numbers, strict=True):
        assert each["score"] == pytest.approx(float(f"{score:.{digits}g}"), rel=1.01 * 10**-digits, abs=0)
        assert len(repr(each["score"]).split("e")[0].replace(".", "").strip("0")) <= digits
        assert (each["iou"] is None) == (iou is None)
        assert each["box"][2] == pytest.approx(side, abs=0.005 + 1e-9 * side)


@pytest.mark.parametrize("cls", [Candidate, Detection])
def test_what_is_missing_is_named(cls: type[Candidate]) -> None:
    told = example(cls).to_json()
    for each in fields_of(cls):
        rest = {name: value for name, value in told.items() if name != each.json}
        if each.optional:
            assert getattr(cls.from_json(rest), each.name) is None
        else:
            with pytest.raises(KeyError, match=each.json):
                cls.from_json(rest)


@pytest.mark.parametrize("wrong", [{"box": [1, 2, 3]}, {"score": "high"}, {"score": None}, {"outer_box": 7}])
def test_what_is_of_another_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Detection.from_json(BIRD.to_json() | wrong)


def test_a_new_field_is_in_json_by_its_declaration_alone() -> None:
    told = example(Wider).to_json()
    assert (told["sharpness"], told["inner_box"]) == (0.25, [1, 2, 3, 4])
    assert {each.name: each.kind for each in fields_of(Wider)[-2:]} == {
        "sharpness": "fraction",
        "inner_box_xyxy": "box",
    }


def test_the_schema_has_every_field_with_its_description() -> None:
    for cls, model in ((Candidate, CandidateOut), (Detection, DetectionOut)):
        described = {name: field.description for name, field in model.model_fields.items()}
        assert described == {each.json: each.about.description for each in fields_of(cls)}
        model.model_validate(example(cls).to_json())


def test_every_field_is_described_and_has_an_example() -> None:
    for each in fields_of(Detection):
        assert each.about.description
        assert each.about.example is not None or each.optional
        assert each.optional or not each.about.needs


def test_columns_of_a_box_are_its_sides() -> None:
    names = [column.name for column in COLUMNS]
    assert names[:4] == ["x1", "y1", "x2", "y2"]
    assert {"outer_x1", "outer_y2", *FIGURES} < set(names)
    assert len(set(names)) == len(names)
