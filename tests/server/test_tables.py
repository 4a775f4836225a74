"""Tables for people are aligned, whatever the rows hold."""

from dirdet.terminal import aligned, markdown, width_of


def test_the_first_column_is_to_the_left_and_figures_to_the_right() -> None:
    assert aligned([["", "AP", "boxes"], ["cells", "58.2", "9"], ["nuclei", "-"]]).splitlines() == [
        "          AP  boxes",
        "cells   58.2      9",
        "nuclei     -",
    ]


def test_no_rows_and_no_columns() -> None:
    assert aligned([]) == ""
    assert aligned([["label"]]) == "label"
    assert markdown(["a", "bc"], []) == "| a | bc |\n| - | -- |"


def test_markdown_is_aligned_too() -> None:
    assert markdown(["pictures", "by", "AP"], [["a", "score", "1.0"], ["b.json", "iou", "10.0"]], names=2) == (
        "| pictures | by    |   AP |\n"
        "| -------- | ----- | ---- |\n"
        "| a        | score |  1.0 |\n"
        "| b.json   | iou   | 10.0 |"
    )  # fmt: skip


def test_wide_letters_take_two_columns() -> None:
    assert width_of("赤い鳥 x") == 8
    assert aligned([["赤い鳥", "1"], ["bird", "2"]]).splitlines() == ["赤い鳥  1", "bird    2"]
