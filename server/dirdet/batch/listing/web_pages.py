"""A web server's folders: the links of their pages, as a browser reads them."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from dirdet.batch.remote_reads import attempted, read_streamed
from dirdet.errors import UnreadableError

# Of a page that lists a folder: a hundred thousand links of a few hundred characters.
MOST_PAGE_BYTES = 2**26
# No name of a file is longer than a few thousand bytes.
_LINK = re.compile(r"<a(?=\s)([^<>]{0,16384})>", re.IGNORECASE)
_TARGET = re.compile(r"""\shref\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)


def listed_page(system: Any, folder: str) -> list[dict[str, Any]]:  # noqa: ANN401 - fsspec says no types
    """The entries of a folder's page, as fsspec's `ls` gives them: links below the folder, a folder's with a last `/`.

    Links are resolved and HTML-unescaped; whatever a server escapes in them, one name is one entry.

    Raises:
        PictureError: the page cannot be fetched, or is too long.
    """
    address = folder.rstrip("/") + "/"
    data = attempted(lambda: read_streamed(system, address, MOST_PAGE_BYTES + 1))
    if len(data) > MOST_PAGE_BYTES:
        raise UnreadableError(f"its page has more than {MOST_PAGE_BYTES // 2**20} MiB")
    base, found = _plain(address), dict[str, None]()
    for link in links_in(data.decode("utf-8", "replace")):
        try:
            target = urldefrag(urljoin(address, link.strip())).url
            name = "" if urlsplit(target).query else _plain(target).removeprefix(base)
        except ValueError:  # of an address that is none
            continue
        if name and name != _plain(target):
            found[name] = None
    return [
        {
            "name": address + quote(name, errors="surrogateescape"),
            "size": None,
            "type": "directory" if name.endswith("/") else "file",
        }
        for name in found
    ]


def links_in(page: str) -> Iterator[str]:
    """The targets of a page's links, in time linear in its length, which `html.parser` does not promise."""
    for tag in _LINK.finditer(page):
        if (found := _TARGET.search(tag[1])) is not None:
            yield unescape(found[1] or found[2] or found[3] or "")


def _plain(address: str) -> str:
    """Without percent-encoding; bytes that are no UTF-8 are kept as surrogates."""
    return unquote(address, errors="surrogateescape")


def matching(system: Any, pattern: str) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """The files that a pattern matches, by their addresses; `**` matches any number of folders, other stars none.

    Raises:
        PictureError: a page cannot be fetched.
    """
    before = re.match(r"[^*\[]*/", pattern)
    top = before[0].rstrip("/") if before else pattern
    wanted = re.compile(_translated(_plain(pattern[len(top) + 1 :])))
    depth = None if "**" in pattern else pattern.count("/") - top.count("/")
    return {
        each["name"]: each
        for each in _below(system, top, depth)
        if wanted.fullmatch(_plain(each["name"][len(top) + 1 :]))
    }


def _below(system: Any, folder: str, depth: int | None) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    waiting, seen = [(folder, 1)], {folder}
    while waiting:
        where, level = waiting.pop()
        for each in listed_page(system, where):
            if each["type"] != "directory":
                yield each
            elif (name := each["name"].rstrip("/")) not in seen and (depth is None or level < depth):
                seen.add(name)
                waiting.append((name, level + 1))


def _translated(pattern: str) -> str:
    """A pattern of paths as a regular expression."""
    parts = {"**/": "(?:.+/)?", "**": ".*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\[[^\]]+\])", pattern)
    return "".join(
        parts.get(piece, piece.replace("[!", "[^") if piece.startswith("[") else re.escape(piece)) for piece in pieces
    )
