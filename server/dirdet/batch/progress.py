"""Reports a job's progress on standard error: a bar on a terminal, otherwise a line now and then."""

import shutil
import sys
import time
from queue import Empty, SimpleQueue

import click

from dirdet.untrusted_text import one_line

BAR = 24
LINE_EVERY_S = 15.0
BAR_EVERY_S = 0.2


class Progress:
    """Reports a job's progress.

    Attributes:
        printed: whether anything has been printed.
    """

    def __init__(self, total: int, *, before: int, quiet: bool = False) -> None:
        """Starts the clock.

        Args:
            total: pictures of the job.
            before: those of them that earlier runs finished.
            quiet: print no progress.
        """
        self._total, self._before, self._quiet = total, before, quiet
        self._terminal = sys.stderr.isatty()
        self._began = self._last = time.monotonic()
        self.printed = False

    def show(self, pictures: float, failures: int, *, last: bool = False) -> None:
        """Prints the progress of this run, if enough time has passed."""
        now = time.monotonic()
        if self._quiet or (not last and now - self._last < (BAR_EVERY_S if self._terminal else LINE_EVERY_S)):
            return
        self._last = now
        self.printed = True
        line = self.line(pictures, failures, now - self._began)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{line[:width]:<{width}}", nl=last, err=True)
        else:
            click.echo(line, err=True)

    def note(self, notes: SimpleQueue[str]) -> None:
        """Prints pending notes, even if `quiet` is set."""
        while True:
            try:
                text = one_line(notes.get_nowait())
            except Empty:
                return
            if self._terminal and not self._quiet:  # Clears the bar, whose end would stay beside the text.
                click.echo(f"\r{' ' * (shutil.get_terminal_size().columns - 1)}", nl=False, err=True)
                text = f"\rdirdet: {text}"
            else:
                text = f"dirdet: {text}"
            click.echo(text, err=True)

    def line(self, pictures: float, failures: int, seconds: float) -> str:
        """Formats pictures done, rate, time left and failures."""
        done = self._before + pictures
        part = done / self._total if self._total else 1.0
        rate = pictures / seconds if seconds > 0 else 0.0
        left = duration((self._total - done) / rate) if rate > 0 else "?"
        bar = f"[{'#' * int(BAR * part):<{BAR}}] " if self._terminal else ""
        unread = f", {failures} could not be read" if failures else ""
        return f"{bar}{int(done)} of {self._total} ({100 * part:.0f} %), {rate:.1f} pictures/s, {left} left{unread}"


def duration(seconds: float) -> str:
    """Formats a duration: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
