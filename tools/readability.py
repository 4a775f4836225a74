"""Checks the prose of the pages: how long sentences are, and turns of phrase that have to be decoded.

    python tools/readability.py [PAGE ...]

The style is docs/style.toml. Headings, tables, code, links' targets and what is written between marks from files do not
count. A sentence ends at a full stop, a question mark, an exclamation mark, a colon, or with its paragraph.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs" / "style.toml"
PLACES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md", "docker/**/*.md")
WORD = re.compile(r"\w[\w'.,/-]*")
LIST_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+")
END = re.compile(r"(?<=[.!?:])[\")*]*\s+(?=[A-Z\"`(*\[])")


@dataclass(frozen=True, slots=True)
class Style:
    """What pages may have.

    Attributes:
        median_words: of a sentence of a page, at most.
        longest_words: of any sentence.
        left_out: pages by their paths below the root.
        banned: by regular expression, what to write in place of it.
    """

    median_words: int
    longest_words: int
    left_out: tuple[str, ...]
    banned: Mapping[str, str]

    @classmethod
    def read(cls, path: Path = STYLE) -> "Style":
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            median_words=content["median_words"],
            longest_words=content["longest_words"],
            left_out=tuple(content["left_out"]),
            banned=content["banned"],
        )


def pages(style: Style) -> list[Path]:
    """All pages for people, but for those that the style leaves out."""
    found = [path for place in PLACES for path in sorted(ROOT.glob(place))]
    return [path for path in found if str(path.relative_to(ROOT)) not in style.left_out]


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
    for sentence, length in zip(found, lengths, strict=True):
        if length > style.longest_words:
            yield f"{length} words, expected at most {style.longest_words}: {sentence}"
        for pattern, instead in style.banned.items():
            if banned := re.search(pattern, sentence, re.IGNORECASE):
                yield f"{banned[0]!r}, write for example '{instead}': {sentence}"


def main() -> None:
    """Prints the complaints about the pages; the exit status is 1 if there are any."""
    style = Style.read()
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or pages(style)
    found = [(path, each) for path in chosen for each in complaints(path.read_text(encoding="utf-8"), style)]
    for path, each in found:
        print(f"{path}: {each}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
