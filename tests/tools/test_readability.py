"""The pages are written in short sentences, without turns of phrase that have to be decoded."""

from pathlib import Path

import pytest

from readability import ROOT, Style, complaints, pages, sentences

STYLE = Style.read()


@pytest.mark.parametrize("path", pages(STYLE), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_reads_well(path: Path) -> None:
    found = list(complaints(path.read_text(encoding="utf-8"), STYLE))
    assert not found, "\n".join(found)


def test_prose_alone_counts() -> None:
    text = (
        "# A heading of many words\n\nOne `a b c` sentence, [a link](to/some/where.md). Another\none.\n"
        "- An item; still the same.\n- Another item: its end\n\n| a | table of words |\n\n    code of words\n\n"
        "```bash\nmore code of words\n```\n\n<!-- from a.json -->\n\nwhat a measurement says.\n<!-- end -->\n"
    )
    assert sentences(text) == [
        "One CODE sentence, a link.", "Another one.", "An item; still the same.", "Another item: its end"
    ]  # fmt: skip


def test_what_is_hard_to_read_is_named() -> None:
    style = Style(median_words=4, longest_words=6, left_out=(), banned={r"\bis told\b": "is reported"})
    assert list(complaints("A short one. It is told here.", style)) == [
        "'is told', write for example 'is reported': It is told here."
    ]
    long = "One two three four five six seven."
    assert list(complaints(long, style)) == [
        "half of the sentences have more than 7 words, expected at most 4",
        f"7 words, expected at most 6: {long}",
    ]
    assert list(complaints("", style)) == []


@pytest.mark.parametrize("name", STYLE.left_out)
def test_a_page_that_is_left_out_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
