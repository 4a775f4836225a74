"""Links between the documents of the repository lead to files, and to headings in them."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTED = subprocess.run(["git", "ls-files", "--", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
DOCUMENTS = LISTED.stdout.split() or [str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")]


def prose(path: Path) -> str:
    """The document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings: lower case, no punctuation, hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(document: Path) -> list[str]:
    """The targets of links and pictures that are not there."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists() or (anchor and anchor not in anchors(prose(path))):
            found.append(target)
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    assert broken(ROOT / name) == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# `POST /detect`, explained\n```\n# no heading\n```\n")
    document = tmp_path / "a.md"
    document.write_text(
        "# Here\n[a](#here) [b](other.md#post-detect-explained) [c](https://x.example/#y) [d](other.md)\n"
        "[e](none.md) [f](#there) [g](other.md#no-heading) [![h](none.png)](other.md)\n```\n[i](none.md)\n```\n"
    )
    assert broken(document) == ["none.md", "#there", "other.md#no-heading", "none.png"]
