"""Checks the prose of pages and code: how long sentences are, and turns of phrase that have to be decoded.

    python tools/readability.py [PAGE or Python file ...]

The style is docs/style.toml. In a page, headings, tables, code, links' targets and texts between marks,
which are written from files, do not count. A sentence ends at a full stop, a question mark, an exclamation mark, a
colon, or with its paragraph.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from code_prose import texts

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs" / "style.toml"
PLACES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md", "docker/**/*.md")
CODE = ("server", "training", "export", "bench", "tools", "docs")
# Its hash is published: any change, also of a docstring, makes another data set.
FROZEN = ROOT / "training" / "dirdet_training" / "scenes"
WORD = re.compile(r"\w[\w'.,/-]*")
LIST_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+")
END = re.compile(r"(?<=[.!?:])[\")*]*\s+(?=[A-Z\"`(*\[])")


@dataclass(frozen=True, slots=True)
class Style:
    """What pages may have.

    Attributes:
        median_words: of a sentence of a page, at most.
        longest_words: of any sentence of a page.
        longest_words_in_code: of any sentence of a docstring or comment.
        left_out: pages by their paths below the root.
        banned: by regular expression, what to write in place of it.
    """

    median_words: int
    longest_words: int
    longest_words_in_code: int
    left_out: tuple[str, ...]
    banned: Mapping[str, str]

    @classmethod
    def read(cls, path: Path = STYLE) -> "Style":
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            median_words=content["median_words"],
            longest_words=content["longest_words"],
            longest_words_in_code=content["longest_words_in_code"],
            left_out=tuple(content["left_out"]),
            banned=content["banned"],
        )


def pages(style: Style) -> list[Path]:
    """All pages for people, but for those that the style leaves out."""
    found = [path for place in PLACES for path in sorted(ROOT.glob(place))]
    return [path for path in found if str(path.relative_to(ROOT)) not in style.left_out]


def sources() -> list[Path]:
    """All Python files whose prose is checked."""
    found = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if FROZEN not in path.parents]


def paragraphs(text: str) -> Iterator[str]:
    """A page's prose: each paragraph and item of a list on one line, code as one word, links as their texts."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- from .*?<!-- end -->", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        item = LIST_ITEM.match(line)
        ends = not line.strip() or line.startswith(("#", "|", "!", ":::")) or (line.startswith("    ") and not lines)
        if (ends or item) and lines:
            yield re.sub(r"`[^`]*`", "CODE", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(lines)))
            lines = []
        if not ends:
            lines.append(line[item.end() :] if item else line.strip())


def sentences(text: str) -> list[str]:
    """All sentences of two words or more."""
    found = [sentence for paragraph in paragraphs(text) for sentence in END.split(paragraph)]
    return [sentence for sentence in found if len(WORD.findall(sentence)) > 1]


def complaints(text: str, style: Style) -> Iterator[str]:
    """What is wrong with a page, each in a line."""
    found = sentences(text)
    lengths = [len(WORD.findall(sentence)) for sentence in found]
    if lengths and median(lengths) > style.median_words:
        yield f"half of the sentences have more than {median(lengths):g} words, expected at most {style.median_words}"
    for sentence in found:
        yield from _of_a_sentence(sentence, style, style.longest_words)


def complaints_of_code(source: str, style: Style) -> Iterator[str]:
    """What is wrong with the prose in a Python file, each in a line; texts that are no sentences may be long."""
    for text in texts(source):
        for sentence in sentences(text.text):
            yield from _of_a_sentence(sentence, style, style.longest_words_in_code if text.is_prose else None)


def _of_a_sentence(sentence: str, style: Style, longest_words: int | None) -> Iterator[str]:
    length = len(WORD.findall(sentence))
    if longest_words is not None and length > longest_words:
        yield f"{length} words, expected at most {longest_words}: {sentence}"
    for pattern, instead in style.banned.items():
        if banned := re.search(pattern, sentence, re.IGNORECASE):
            yield f"{banned[0]!r}, write for example '{instead}': {sentence}"


def main() -> None:
    """Prints the complaints about pages and code; the exit status is 1 if there are any."""
    style = Style.read()
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or [*pages(style), *sources()]
    found: list[tuple[Path, str]] = []
    for path in chosen:
        complain = complaints_of_code if path.suffix == ".py" else complaints
        found += [(path, each) for each in complain(path.read_text(encoding="utf-8"), style)]
    for path, each in found:
        print(f"{path}: {each}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
