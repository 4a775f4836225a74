"""A stage on Triton that runs out of memory: the batch is tried in halves, and nobody gets another's answer."""

import contextlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import get_args

import anyio
import httpx
import pytest
from PIL import Image
from waiting import PATIENCE_S

from dirdet.bundle.bundle import Bundle
from dirdet.detector.detector import Detector
from dirdet.engines.triton.repository.config import DetectorAs, RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.errors import EngineMemoryError
from dirdet.gateway.app import create_app

from .server import TritonServer, running
from .test_answers import assert_same, png

# Put behind the stage's own code: the network itself raises what PyTorch raises, beyond some canvases.
SCARCE = """

import os

_initialize = TritonPythonModel.initialize


def _scarce(self, args):
    _initialize(self, args)
    stage, torch = self._network, self._torch

    def run(*inputs):
        if len(inputs[0]) > {canvases} and os.path.exists({flag!r}):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has ...")
        return stage(*inputs)

    self._network = run


TritonPythonModel.initialize = _scarce
"""


@contextlib.contextmanager
def scarce(
    bundle: Bundle,
    folder: Path,
    make_server: Callable[..., TritonServer],
    *,
    canvases: int,
    detector_as: DetectorAs = "ensemble",
) -> Generator[TritonServer]:
    write_repository(bundle, folder, options=RepositoryOptions(onnxruntime="python", detector_as=detector_as))
    # Memory is scarce once the models are warm: a model whose warm-up fails is not served at all.
    flag = folder.with_name(f"{folder.name}_is_scarce")
    model = "scenes_roi_stage" if detector_as == "ensemble" else "scenes_detector"
    with (folder / model / "1" / "model.py").open("a") as code:
        code.write(SCARCE.format(canvases=canvases, flag=str(flag)))
    with running(make_server(folder)) as server:
        flag.touch()
        yield server


@pytest.mark.parametrize("detector_as", get_args(DetectorAs))
def test_halves_on_triton_and_halves_at_the_gateway(
    detector_as: DetectorAs,
    bundle: Bundle,
    make_server: Callable[..., TritonServer],
    remote: Callable[..., Detector],
    embedded: Detector,
    crops: list[Image.Image],
    tmp_path: Path,
) -> None:
    """Eight canvases become four and four on Triton, or two and two of the gateway's four."""
    expected = embedded.detect(crops)
    for canvases in (4, 2):
        with scarce(
            bundle, tmp_path / str(canvases), make_server, canvases=canvases, detector_as=detector_as
        ) as server:
            detector = remote(server.address)
            for found, wanted in zip(detector.detect(crops), expected, strict=True):
                assert_same(found, wanted)


def test_where_not_even_one_fits_the_client_is_told_and_triton_stays(
    bundle: Bundle,
    make_server: Callable[..., TritonServer],
    remote: Callable[..., Detector],
    crops: list[Image.Image],
    tmp_path: Path,
) -> None:
    with scarce(bundle, tmp_path, make_server, canvases=1) as server:
        detector = remote(server.address)
        with pytest.raises(EngineMemoryError, match="Triton has no memory left"):
            detector.detect(crops)
        answers = ask(detector, crops[:1])
        assert answers[0].status_code == 200, "one canvas fits, and Triton is still there"


def ask(detector: Detector, pictures: list[Image.Image]) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(detector))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=PATIENCE_S) as client:
            headers = {"content-type": "image/png"}
            return [await client.post("/detect", content=png(each), headers=headers) for each in pictures]

    return anyio.run(send)
