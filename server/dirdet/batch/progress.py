"""How far a job is, on standard error: a bar on a terminal, a line now and then elsewhere."""

import shutil
import sys
import time
from queue import Empty, SimpleQueue

import click

BAR = 24
LINE_EVERY_S = 15.0
BAR_EVERY_S = 0.2


class Progress:
    """Tells of a job's progress.

    Attributes:
        told: whether it has told anything yet.
    """

    def __init__(self, total: int, *, before: int, quiet: bool = False) -> None:
        """Begins now.

        Args:
            total: pictures of the job.
            before: of these, those done by earlier runs.
            quiet: nothing is told.
        """
        self._total, self._before, self._quiet = total, before, quiet
        self._terminal = sys.stderr.isatty()
        self._began = self._last = time.monotonic()
        self.told = False

    def show(self, pictures: int, failures: int, *, last: bool = False) -> None:
        """Tells of this run's pictures, if it is time."""
        now = time.monotonic()
        if self._quiet or (not last and now - self._last < (BAR_EVERY_S if self._terminal else LINE_EVERY_S)):
            return
        self._last = now
        self.told = True
        line = self.line(pictures, failures, now - self._began)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{line[:width]:<{width}}", nl=last, err=True)
        else:
            click.echo(line, err=True)

    def note(self, notes: SimpleQueue[str]) -> None:
        """Tells what came up meanwhile, also to who wants no progress told."""
        while True:
            try:
                text = notes.get_nowait()
            except Empty:
                return
            if self._terminal and not self._quiet:  # what the bar shows would stay beside it
                text = f"\r{' ' * (shutil.get_terminal_size().columns - 1)}\rdirdet: {text}"
                click.echo(text, err=True)
            else:
                click.echo(f"dirdet: {text}", err=True)

    def line(self, pictures: int, failures: int, seconds: float) -> str:
        """Done, rate, what remains, failures."""
        done = self._before + pictures
        part = done / self._total if self._total else 1.0
        rate = pictures / seconds if seconds > 0 else 0.0
        left = duration((self._total - done) / rate) if rate > 0 else "?"
        bar = f"[{'#' * int(BAR * part):<{BAR}}] " if self._terminal else ""
        unread = f", {failures} could not be read" if failures else ""
        return f"{bar}{done} of {self._total} ({100 * part:.0f} %), {rate:.1f} pictures/s, {left} left{unread}"


def duration(seconds: float) -> str:
    """As people say it: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
