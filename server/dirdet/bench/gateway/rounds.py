"""Servers under the same load in turns, and decoding alone between them."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dirdet.bench.gateway.contestants import DIRDET, Contestant
from dirdet.bench.gateway.load import Load, answers, bodies, load
from dirdet.bench.gateway.processes import running
from dirdet.bench.gateway.stages import between, cpu_by_stage
from dirdet.bench.turns import in_turn

DECODING = "decoding alone"
# A server's first seconds are not its pace.
WARM_UP_S = 2.0


@dataclass(frozen=True)
class Turn:
    """One server under load once.

    Attributes:
        load: what it answered.
        cpu_s: what the server took of the CPU meanwhile, all its processes.
        stages_s: where that went; of dirdet's own gateway only.
    """

    load: Load
    cpu_s: float
    stages_s: Mapping[str, float] = field(default_factory=dict[str, float])


def in_rounds(
    contestants: Mapping[str, Contestant],
    pictures: Sequence[Path],
    *,
    rounds: Iterable[int],
    callers: int,
    seconds: float,
    cores: int,
    canvas_hw: tuple[int, int],
) -> tuple[dict[str, list[Turn]], list[float]]:
    """Every server once a round, another first each time, and decoding without one.

    Args:
        contestants: by name, dirdet's own among them.
        pictures: JPEG files that are sent in turn.
        rounds: numbers; an iterable, so that a progress bar can be one.
        callers: that send at the same time.
        seconds: of load, each time.
        cores: that a server may use.
        canvas_hw: height and width in pixels that pictures are resized to.

    Returns:
        Turns by name, and pictures a second that the cores decode and place alone.

    Raises:
        EngineError: a server does not start or refuses requests.
        MissingExtraError: wrk or another project's server cannot be had.
    """
    commands = {name: each.argv() for name, each in contestants.items()}
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    alone: list[float] = []
    with tempfile.TemporaryDirectory(prefix="dirdet-bench-") as place:
        folder = Path(place)
        sent = bodies(pictures, folder)
        for number in rounds:
            names = list(contestants)
            for name in in_turn(names, number):
                with running(
                    name,
                    commands[name],
                    environment=contestants[name].environment(cores=cores, canvas_hw=canvas_hw),
                    folder=folder,
                    answers=partial(answers, body=sent[0]),
                ) as server:
                    put = partial(load, server.port, sent, callers=callers, folder=folder)
                    put(seconds=WARM_UP_S)
                    own = contestants[name] is DIRDET
                    stages_before = cpu_by_stage(server) if own else {}
                    before = server.cpu_seconds()
                    found = put(seconds=seconds)
                    taken_s = server.cpu_seconds() - before
                    stages = between(stages_before, cpu_by_stage(server)) if own else {}
                    turns[name].append(Turn(found, taken_s, stages))
            alone.append(_decoding(pictures, cores=cores, seconds=seconds))
    return turns, alone


def _decoding(pictures: Sequence[Path], *, cores: int, seconds: float) -> float:
    command = [sys.executable, "-m", "dirdet.bench.gateway.decoding", str(cores), str(seconds), *map(str, pictures)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
