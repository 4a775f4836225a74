"""The file of keys: read at the start and again when it changes, so that a key comes and goes without a restart."""

import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from typing import IO

from dirdet.access.keys import Key, digest, parse_lines
from dirdet.access.rates import TokenBucket
from dirdet.errors import KeyFileError
from dirdet.files import write_whole

log = logging.getLogger(__name__)

# Seconds after which a change of the file counts at the latest.
CHECK_EVERY_S = 1.0


class KeyFile:
    """The keys of a file, and what each has used of its rate.

    A new file that cannot be read or understood changes nothing: the keys before it stay, and the log says why. An
    empty one is understood: nobody has a key then.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the file.

        Raises:
            KeyFileError: it cannot be read or understood; names its line.
        """
        self.path = path
        self._clock = clock
        self._buckets: dict[Key, TokenBucket] = {}
        self._seen = _identity(path)
        self._checked_at = clock()
        self.keys = read_keys(path)
        if not self.keys:
            log.warning("%s names no key: everybody is refused", path)

    def find(self, presented: bytes) -> Key | None:
        """The key, if the file names it; it takes as long for each, and for none."""
        self._renew()
        asked = digest(presented)
        found = None
        for key in self.keys:
            if compare_digest(key.digest, asked):
                found = key
        return found

    def bucket(self, key: Key) -> TokenBucket | None:
        """The bucket of a key of `find`; None: it has no limit."""
        if key.rate is None:
            return None
        if key not in self._buckets:
            self._buckets[key] = TokenBucket(key.rate, clock=self._clock)
        return self._buckets[key]

    def _renew(self) -> None:
        """Reads the file again if it is another one; it is looked at once a second."""
        now = self._clock()
        if now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        identity = _identity(self.path)
        if identity == self._seen:
            return
        self._seen = identity  # a broken file is told once
        try:
            keys = read_keys(self.path)
        except KeyFileError as exc:
            log.error("%s; the keys from before it stay", exc)
            return
        # A key whose line is the same goes on with what it has used.
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key in keys}
        self.keys = keys
        log.info("%s was read again: %d keys", self.path, len(keys))


def read_keys(path: Path) -> list[Key]:
    """The keys of a file.

    Raises:
        KeyFileError: it cannot be read or understood; names its line.
    """
    try:
        return parse_lines(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise KeyFileError(f"{path}: there is no such file; `dirdet key NAME --append {path}` begins it") from exc
    except OSError as exc:
        raise KeyFileError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise KeyFileError(f"{path}: expected text in UTF-8; byte {exc.start} is none") from exc
    except ValueError as exc:
        raise KeyFileError(f"{path}, {exc}") from exc


def append_key(path: Path, key: Key) -> None:
    """Adds a line to the file, or begins it; a reader sees the file before or after, never between.

    A new file is its owner's alone (0600); one that is there keeps its mode, and its owner and group as far as allowed.

    Raises:
        KeyFileError: the file is broken, or has a key of this name.
    """
    path = path.resolve()  # of a link, the file that it leads to
    before, text = None, ""
    if path.exists():
        if any(each.name == key.name for each in read_keys(path)):
            raise KeyFileError(
                f"{path}: there is a key {key.name!r} already; take its line out first, or choose a name"
            )
        before, text = path.stat(), path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text += "\n"
    text += key.line() + "\n"

    def fill(file: IO[bytes]) -> None:
        os.fchmod(file.fileno(), 0o600 if before is None else stat.S_IMODE(before.st_mode))
        if before is not None:
            with suppress(PermissionError):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
        file.write(text.encode())

    write_whole(path, fill)


def _identity(path: Path) -> tuple[int, ...] | None:
    """What differs when the file does, links followed; None: it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_dev, found.st_mtime_ns, found.st_ctime_ns, found.st_size
