"""Pages, docstrings and messages are in short sentences, without turns of phrase that have to be decoded."""

from pathlib import Path

import pytest

from code_prose import Text, texts
from readability import CODE, ROOT, Style, complaints, complaints_of_code, pages, sentences, sources

STYLE = Style.read()


@pytest.mark.parametrize("path", pages(STYLE), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_reads_well(path: Path) -> None:
    found = list(complaints(path.read_text(encoding="utf-8"), STYLE))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", CODE)
def test_code_reads_well(folder: str) -> None:
    files = [path for path in sources() if (ROOT / folder) in path.parents]
    assert files
    found = [(path, list(complaints_of_code(path.read_text(encoding="utf-8"), STYLE))) for path in files]
    assert not (bad := [f"{path}: {each}" for path, lines in found for each in lines]), "\n".join(bad)


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
    style = style_of({r"\bis told\b": "is reported"})
    assert list(complaints("A short one. It is told here.", style)) == [
        "'is told', write for example 'is reported': It is told here."
    ]
    long = "One two three four five six seven."
    assert list(complaints(long, style)) == [
        "half of the sentences have more than 7 words, expected at most 4",
        f"7 words, expected at most 6: {long}",
    ]
    assert list(complaints("", style)) == []


SOURCE = '''"""Owns one thing.

Args:
    first: of a kind that
        goes on.
    second: of another.
"""

# A comment of
# two lines.
SIZE = 3  # beside code
# Below it.
raise ValueError(f"the page {SIZE} is told to nobody")
print("of three words", """select one
from a table that is told by nobody at all""")
'''


def style_of(banned: dict[str, str]) -> Style:
    return Style(median_words=4, longest_words=6, longest_words_in_code=8, left_out=(), banned=banned)


def test_prose_in_code_is_docstrings_by_entry_comments_by_block_and_other_texts() -> None:
    assert list(texts(SOURCE)) == [
        Text("Owns one thing.", is_prose=True),
        Text("Args:", is_prose=True),
        Text("first: of a kind that goes on.", is_prose=True),
        Text("second: of another.", is_prose=True),
        Text("A comment of two lines.", is_prose=True),
        Text("beside code", is_prose=True),
        Text("Below it.", is_prose=True),
        Text("select one from a table that is told by nobody at all", is_prose=False),
        Text("is told to nobody", is_prose=False),
    ]


def test_what_is_hard_to_read_in_code_is_named() -> None:
    found = list(complaints_of_code(SOURCE, style_of({r"\bis told\b": "is reported", r"\bgoes on\b": "continues"})))
    assert [each.partition(",")[0] for each in found] == ["'goes on'", "'is told'", "'is told'"]
    [found] = complaints_of_code("# One two three four five six seven eight nine.\n", style_of({}))
    assert found.startswith("9 words, expected at most 8")


@pytest.mark.parametrize("name", STYLE.left_out)
def test_a_page_that_is_left_out_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
