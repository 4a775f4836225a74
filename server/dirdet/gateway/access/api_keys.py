"""API keys, and the lines of the key file, which holds their hashes only."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from dirdet.gateway.access.rate_limits import Rate

# Tells people and secret scanners what was found.
PREFIX = "dirdet_"
# 256 random bits cannot be guessed, so a fast hash suffices. A slow one protects passwords, and would cost each request
# 50 ms or more. Refusing a wrong key is as cheap as accepting a right one.
RANDOM_BYTES = 32
HASH = "sha256"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(HASH + r":([0-9a-f]{64})")
# What a key looks like in a text: the prefix and the characters of urlsafe base64.
KEY_IN_TEXT = re.compile(PREFIX + r"[A-Za-z0-9_-]{8,}")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the server knows it.

    Attributes:
        name: of its owner, in the log and in the key file.
        digest: SHA-256 of the key.
        rate: of its requests; None: unlimited.
        admin: whether it may change the server.
    """

    name: str
    digest: bytes
    rate: Rate | None = None
    admin: bool = False

    def line(self) -> str:
        """The line of the file, without its end; `parse_line` reads it."""
        parts = [self.name, f"{HASH}:{self.digest.hex()}"]
        if self.rate is not None:
            parts.append(f"rate={self.rate}")
            if self.rate.burst != self.rate.amount:
                parts.append(f"burst={self.rate.burst}")
        if self.admin:
            parts.append("admin")
        return " ".join(parts)


def new_key() -> str:
    """A new random key."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest(key: str | bytes) -> bytes:
    """SHA-256 of a key, 32 bytes."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).digest()


def parse_line(text: str) -> Key | None:
    """A key from `NAME sha256:HEX [rate=10/s] [burst=20] [admin]`; None from an empty line or a # comment.

    Raises:
        ValueError: the line has another form; says what was expected, and never repeats a key.
    """
    words = text.split()
    if not words or words[0].startswith("#"):
        return None
    name, rest = check_name(words[0]), words[1:]
    matched = DIGEST.fullmatch(rest[0]) if rest else None
    if matched is None:
        raise ValueError(f"expected {HASH}: and 64 hexadecimal digits behind {name!r}, as `dirdet key` prints them")
    options: dict[str, str] = {}
    for word in rest[1:]:
        option, equals, value = word.partition("=")
        if option not in ("rate", "burst", "admin") or bool(equals) is (option == "admin"):
            raise ValueError(f"expected rate=, burst= or admin; found {redacted(word)!r}")
        if option in options:
            raise ValueError(f"{option} is given twice")
        options[option] = value
    return Key(name, bytes.fromhex(matched[1]), _rate(options), "admin" in options)


def parse_lines(text: str) -> list[Key]:
    """The keys of a file, in its order.

    Raises:
        ValueError: a line has another form, or repeats a name or hash; begins with `line N: `.
    """
    keys: list[Key] = []
    line_of: dict[str | bytes, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            key = parse_line(line)
            if key is None:
                continue
            for kind, value in (("name", key.name), ("hash", key.digest)):
                if value in line_of:
                    raise ValueError(f"the {kind} of {key.name!r} is in line {line_of[value]} too")
        except ValueError as exc:
            raise ValueError(f"line {number}: {exc}") from exc
        line_of |= {key.name: number, key.digest: number}
        keys.append(key)
    return keys


def check_name(name: str) -> str:
    """The name of a key, unchanged.

    Raises:
        ValueError: a key cannot have this name.
    """
    if not NAME.fullmatch(name) or name.startswith(PREFIX):
        raise ValueError(
            f"expected a name of up to 64 letters, digits, '.', '_' and '-', the first a letter or digit, and no "
            f"key; found {redacted(name)!r}"
        )
    return name


def redacted(text: str) -> str:
    """The text with every key in it masked."""
    return KEY_IN_TEXT.sub(f"{PREFIX}...", text)


def _rate(options: dict[str, str]) -> Rate | None:
    burst = options.get("burst")
    if "rate" not in options:
        if burst is not None:
            raise ValueError("burst= is of a rate; expected rate= too")
        return None
    if burst is not None and not (re.fullmatch("[1-9][0-9]*", burst) and len(burst) < 10):
        raise ValueError(f"expected burst= and a whole number of 1 or more; found {burst!r}")
    return Rate.parse(options["rate"], burst=None if burst is None else int(burst))
