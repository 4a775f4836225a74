"""A real Triton that serves the shipped detector, and the gateway before it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from dirdet.bundle.bundle import Bundle
from dirdet.bundle.shipped import open_bundle
from dirdet.detector.detector import Detector
from dirdet.engines.factory import make_engine
from dirdet.engines.triton.target import TritonTarget
from dirdet.pictures.reading import read_picture

pytest.importorskip("tritonclient.grpc", reason="the extra triton is not installed")

from .beside import write_both
from .environment import TritonEnvironment, install, make_python, site_of
from .server import TritonServer, running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def environment() -> TritonEnvironment:
    return install()


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return open_bundle()


@pytest.fixture(scope="session")
def repository(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For a Triton without the ONNX Runtime backend, as the wheel's is."""
    out = tmp_path_factory.mktemp("models")
    write_both(bundle, out)
    return out


@pytest.fixture(scope="session")
def make_server(
    environment: TritonEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., TritonServer]:
    """A server that is not started: `make_server(repository)`; without `torch` its Python has none, with a
    `key_file` it asks for the key."""

    def make(
        repository: Path, *, torch: bool = True, models: Sequence[str] = (), key_file: Path | None = None
    ) -> TritonServer:
        folder = tmp_path_factory.mktemp("triton")
        # PyTorch is large: the models take the one that this test itself would, after the wheel's older numpy.
        sites = [environment.site, *([site_of("torch")] if torch else [])]
        python = make_python(folder / "python", sites)
        return TritonServer(
            environment, repository, python=python, log=folder / "log", models=models, key_file=key_file
        )

    return make


@pytest.fixture(scope="session")
def server(make_server: Callable[..., TritonServer], repository: Path) -> Iterator[TritonServer]:
    with running(make_server(repository)) as started:
        yield started


@pytest.fixture(scope="session")
def embedded(bundle: Bundle) -> Detector:
    """The detector in this process: what Triton's answers are compared with."""
    return Detector(bundle.manifest, make_engine(bundle, provider="cpu"))


@pytest.fixture
def remote(bundle: Bundle) -> Iterator[Callable[..., Detector]]:
    """The detector on Triton: `remote(address, model=None)`."""
    made: list[Detector] = []

    def make(address: str, *, model: str | None = None, shared_memory: bool = False) -> Detector:
        target = TritonTarget(address, model, shared_memory)
        detector = Detector(bundle.manifest, make_engine(bundle, triton=target))
        made.append(detector)
        return detector

    yield make
    for detector in made:
        detector.engine.close()


@pytest.fixture(scope="session")
def photograph() -> Image.Image:
    with (ROOT / "docs" / "example.jpg").open("rb") as file:
        return read_picture(file)


@pytest.fixture(scope="session")
def crops(photograph: Image.Image) -> list[Image.Image]:
    """Eight different pictures that lie on canvases of one size."""
    width, height = photograph.width // 2, photograph.height // 2
    steps = [(x, y) for x in range(4) for y in range(2)]
    boxes = [(x * width // 3, y * height, x * width // 3 + width, y * height + height) for x, y in steps]
    return [photograph.crop(box) for box in boxes]
