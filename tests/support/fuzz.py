"""Fuzzes one reader by Atheris, in a process of its own: `python fuzz.py READER FOLDER [libFuzzer's options]`.

It ends with another status than 0 where a reader raises anything but a DirdetError, takes longer than `-timeout` or
more than `-rss_limit_mb`.
"""

import contextlib
import copy
import json
import logging
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import atheris

# Whose branches lead the fuzzer on.
INSTRUMENTED = ["dirdet", "dirdet_training", "dirdet_export", "tarfile", "zipfile", "csv", "yaml", "globox"]
ODD: list[Any] = [
    *(None, True, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", "a", "0"),
    *("\ud800", "\0", "../a", "nan", "1" * 5000, [], {}, [[]], [None], {"": None}, "a" * 70_000, [0] * 5000),
]


def main() -> None:
    """Begins with the reader's own files, and those that an earlier run left in FOLDER/corpus."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=INSTRUMENTED):  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        from fuzzed_readers import READERS

        from dirdet.errors import DirdetError

        reader, inside, corpus = READERS[name], folder / "in", folder / "corpus"
        inside.mkdir()
        read = reader.ready(inside)
    corpus.mkdir(exist_ok=True)
    seeds = reader.seeds()
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in ("", *reader.words) if word))
    warnings.simplefilter("ignore")
    logging.disable()

    def one(data: bytes) -> None:
        with contextlib.suppress(DirdetError):
            read(data)

    options = [f"-dict={words}"] if reader.words else []
    mutator = {"custom_mutator": _mutated} if seeds[0].startswith((b"{", b"[")) else {}
    atheris.Setup([sys.argv[0], str(corpus), *options, *sys.argv[3:]], one, **mutator)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """As libFuzzer's dictionaries have it: every byte in hexadecimal."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1"))


def _mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """JSON with another value, key or item somewhere, as often as with other bytes."""
    dice = random.Random(seed)
    try:
        line, newline, rest = data.partition(b"\n")
        told = json.loads(line)
        if dice.random() < 0.3 or not isinstance(told, dict | list):
            raise ValueError("other bytes")
        for _ in range(dice.choice((1, 1, 2, 4))):
            _change(told, dice)
        return (json.dumps(told).encode() + newline + rest)[:max_size]
    except (ValueError, RecursionError):
        return atheris.Mutate(data, max_size)


def _change(told: Any, dice: random.Random) -> None:
    nodes = [told]
    for node in nodes:
        nodes += [each for each in (node.values() if isinstance(node, dict) else node) if isinstance(each, dict | list)]
    node = dice.choice(nodes)
    if not node:
        return
    key = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
    match dice.randrange(5):
        case 0:
            del node[key]
        case 1 if isinstance(node, list):
            node.insert(key, copy.deepcopy(node[dice.randrange(len(node))]))
        case 1:
            node[dice.choice(("a", "\ud800", "", f"{key}x"))] = copy.deepcopy(node[key])
        case 2:
            node[key] = copy.deepcopy(nodes[-1])
        case _:
            node[key] = copy.deepcopy(dice.choice(ODD))


if __name__ == "__main__":
    main()
