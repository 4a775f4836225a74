"""The way of one request through the gateway's own code: how many files it crosses, and what is made for it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx
import pytest
from loopback import serving

import dirdet
from dirdet.detector.detector import Detector
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app

OWN = str(Path(dirdet.__file__).parent) + os.sep
# What the request and its answer are made of, rather than what carries them.
VALUES = {
    "dirdet.detection.detection.Detection",
    "dirdet.detector.options.Settings",
    "dirdet.engines.tensors.Candidates",
    "dirdet.engines.tensors.CanvasBatch",
    "dirdet.pictures.canvas.Fit",
}
EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "example.jpg"


class Way:
    """What ran while it was watched.

    Attributes:
        files: of the package, by their paths inside it.
        boundaries: (caller, callee), both files of the package, which are not the same.
        made: names of the package's classes that were instantiated.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.boundaries: set[tuple[str, str]] = set()
        self.made: set[str] = set()
        self.watching = False

    def clear(self) -> None:
        self.files, self.boundaries, self.made = set(), set(), set()

    def copy(self) -> "Way":
        way = Way()
        way.files, way.boundaries, way.made = set(self.files), set(self.boundaries), set(self.made)
        return way

    def text(self) -> str:
        """As JSON."""
        return json.dumps(
            {"files": sorted(self.files), "boundaries": sorted(self.boundaries), "made": sorted(self.made)}
        )

    @classmethod
    def common(cls, ways: "list[Way]") -> "Way":
        """What every one of the ways has."""
        way = cls()
        first, *others = ways
        way.files = first.files.intersection(*(each.files for each in others))
        way.boundaries = first.boundaries.intersection(*(each.boundaries for each in others))
        way.made = first.made.intersection(*(each.made for each in others))
        return way

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        if not self.watching or event != "call":
            return
        code = frame.f_code
        if code.co_name in ("__init__", "__new__") and code.co_argcount:
            first = frame.f_locals.get(code.co_varnames[0])
            cls = first if isinstance(first, type) else type(first)
            if cls.__module__.partition(".")[0] == "dirdet":
                self.made.add(f"{cls.__module__}.{cls.__qualname__}")
        if not code.co_filename.startswith(OWN):
            return
        here = code.co_filename.removeprefix(OWN)
        self.files.add(here)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(OWN):
            caller = caller.f_back
        if caller is not None and (there := caller.f_code.co_filename.removeprefix(OWN)) != here:
            self.boundaries.add((there, here))


@contextmanager
def profiled(way: Way) -> Generator[None]:
    """Watches the threads that are started in the block, and this one."""
    threading.setprofile(way.profile)
    try:
        yield
    finally:
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]


def way_of_a_request() -> Way:
    """What each of three requests crosses; timers and the like, which run beside some, are not in it."""
    way = Way()
    picture = EXAMPLE.read_bytes()
    app = create_app(Detector.open(), access=Access(hosts=()))  # as `dirdet serve` without keys
    seen: list[Way] = []
    with profiled(way), serving(app) as address, httpx.Client(base_url=address.url) as client:
        for _ in range(6):  # the first three warm up
            way.clear()
            way.watching = True
            assert client.post("/detect", content=picture, headers={"Content-Type": "image/jpeg"}).is_success
            way.watching = False
            seen.append(way.copy())
    return Way.common(seen[3:])


def test_a_request_crosses_few_files(capsys: pytest.CaptureFixture[str]) -> None:
    # In a process of its own: what other tests set up for the whole process, such as a log's format, is not on its way.
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", "import test_request_way as own; print(own.way_of_a_request().text())"]
    env = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{path}"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    way = json.loads(ran.stdout.splitlines()[-1])
    files, boundaries, made = set(way["files"]), way["boundaries"], set(way["made"]) - VALUES
    with capsys.disabled():
        # DIRDET_SHOW_WAY=1 lists them.
        print(f"\n{len(files)} files, {len(boundaries)} boundaries, {len(made)} kinds of objects")
        if os.environ.get("DIRDET_SHOW_WAY"):
            print("\n".join([*(f"  {caller} -> {callee}" for caller, callee in boundaries), *sorted(made)]))
    # 24 carry the request, one of them because the shipped detector's boxes vote, which is two more boundaries. Six do
    # the picture's own work: those that know its format, orientation and samples, read, resize and place it are apart
    # because training and jobs use them without a gateway.
    carrying = sorted(each for each in files if not each.startswith("pictures/"))
    assert len(files) - len(carrying) <= 6, sorted(files)
    assert len(carrying) <= 24, carrying
    assert len(boundaries) <= 37, boundaries
    assert len(made) <= 8, sorted(made)
