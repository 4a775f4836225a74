"""The servers that are compared, each with the best settings that its documentation gives."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dirdet.bench.gateway.environment import python_with

PEERS = Path(__file__).parent / "peers"
# What the engine that does nothing finds: as long in JSON as dirdet's own detections.
DETECTIONS = [
    {
        "box": [8.5 * number, 8.25 * number, 8.5 * number + 200.75, 8.25 * number + 190.5],
        "label": "bird",
        "class_id": 0,
        "category_id": 1,
        "score": 0.91234,
        "purity": 0.95123,
        "integrity": 0.90123,
        "iou": 0.85921,
        "confidence": 0.88424,
        "score_calibrated": 0.58123,
        "iou_calibrated": 0.79123,
        "outer_box": [0, 0, 255.19, 393.32],
        "mask": None,
    }
    for number in range(10)
]


@dataclass(frozen=True)
class Contestant:
    """A server.

    Attributes:
        name: for tables.
        command: what starts it, after its Python.
        requirements: of its environment; none for dirdet, which runs in this one.
        settings: more environment variables.
    """

    name: str
    command: Sequence[str]
    requirements: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def argv(self) -> list[str]:
        """The whole command; installs what it needs on first use."""
        python = str(python_with(self.name, self.requirements)) if self.requirements else sys.executable
        return [python, *self.command]

    def environment(self, *, cores: int, canvas_hw: tuple[int, int]) -> dict[str, str]:
        """What the server is told."""
        told = {
            "BENCH_CORES": str(cores),
            "BENCH_CANVAS_HW": json.dumps(canvas_hw),
            "BENCH_DETECTIONS": json.dumps(DETECTIONS),
        }
        return told | ({"PYTHONPATH": str(PEERS)} if self.requirements else {}) | dict(self.settings)


DIRDET = Contestant("dirdet", [str(PEERS / "nothing.py")])
CONTESTANTS: Mapping[str, Contestant] = {
    "litserve": Contestant(
        "litserve",
        [str(PEERS / "litserve_server.py")],
        ("litserve==0.2.19", "pillow", "numpy", "python-multipart"),
        {"BENCH_API_SERVERS": "1"},
    ),
    "bentoml": Contestant(
        "bentoml",
        [str(PEERS / "bentoml_service.py")],
        ("bentoml==1.4.40", "pillow", "numpy"),
        {"BENTOML_DO_NOT_TRACK": "True"},
    ),
}
