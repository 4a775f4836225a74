"""A hook of MkDocs: links to files of the repository that are no pages of the site become the files' names."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#\s]+)[^)\s]*\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:  # noqa: ANN401 - MkDocs calls it by these names
    """The page's text, in which a link out of docs/ is replaced by its text and the file's path."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def named(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link["target"]))
        if path.startswith("docs/"):
            return link[0]
        text = link["text"].strip("`").rstrip("/")
        return f"`{path}`" if text in path else f"{link['text']} (`{path}`)"

    return LINK.sub(named, markdown)
