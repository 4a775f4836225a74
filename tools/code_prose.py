"""The prose in a Python file: docstrings, comments, and other texts of several words, such as messages and help."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Where an entry of a docstring's section begins, such as `name: what it is.`, or a section, or an item of a list.
ENTRY = re.compile(r"^ *(?:[\w*`., ]{1,60}: |(?:Args|Attributes|Returns|Raises|Yields):|- |\d+\. )", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a source file.

    Attributes:
        text: on one line; sentences are separated as in prose.
        is_prose: a docstring or comment; any other text may be a script or a query as well.
    """

    text: str
    is_prose: bool


def texts(source: str) -> Iterator[Text]:
    """Every entry of a docstring, every block of comments, and every other text of four words or more."""
    tree = ast.parse(source)
    documented = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
    for docstring in filter(None, map(ast.get_docstring, documented)):
        for entry in _entries(docstring):
            yield Text(entry, is_prose=True)
    for block in _comments(source):
        yield Text(block, is_prose=True)
    heads = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) and id(node) not in heads else None
        if isinstance(value, str) and value.count(" ") > 2:
            yield Text(" ".join(value.split()), is_prose=False)


def _entries(docstring: str) -> Iterator[str]:
    for paragraph in docstring.split("\n\n"):
        begins = [0, *(found.start() for found in ENTRY.finditer(paragraph)), len(paragraph)]
        for begin, end in pairwise(begins):
            if text := " ".join(paragraph[begin:end].split()):
                yield text


def _comments(source: str) -> Iterator[str]:
    """Comments that fill lines which follow each other are one block; one behind code is a block of its own."""
    block: list[str] = []
    last_line = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = token.line.lstrip().startswith("#")
        if block and not (alone and token.start[0] == last_line + 1):
            yield " ".join(block)
            block = []
        block.append(token.string.lstrip("# "))
        last_line = token.start[0] if alone else -1
    if block:
        yield " ".join(block)
