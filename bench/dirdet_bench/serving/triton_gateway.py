"""The same canvas sent to Triton itself and, as a picture, to the gateway before it."""

import http.client
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.engines.tensors import CanvasBatch
from dirdet.engines.triton.client import import_client, with_key
from dirdet.engines.triton.target import TritonTarget
from dirdet.engines.triton.wire_tensors import WIRE_TYPES, request_arrays
from dirdet.errors import EngineError, ParameterError
from dirdet.pictures.canvas import PlacedPicture
from dirdet.pictures.reading import read_picture
from dirdet_bench.harness.turns import seconds_in_turns

DIRECT, GATEWAY, DECODING = "Triton, directly", "through the gateway", "of it, reading the picture"
WARM_UP = 50
TIMEOUT_S = 60.0


def time_gateway(
    detector: Detector, placed: PlacedPicture, batch: CanvasBatch, target: TritonTarget, url: str, rounds: int
) -> dict[str, list[float]]:
    """Sends one request at a time, over connections that stay open, directly and through the gateway in turns.

    The gateway gets a BMP of exactly the picture's size on the canvas: nothing is decompressed or resized. Reading it
    is timed too.

    Raises:
        EngineError: Triton or the gateway did not answer.
        ParameterError: the address is no HTTP one.
    """
    body = _bitmap(placed)
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ParameterError("gateway", f"expected http://HOST:PORT, got {url!r}")
    gateway = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)

    def through() -> None:
        try:
            gateway.request("POST", "/detect", body, {"Content-Type": "image/bmp"})
            with gateway.getresponse() as answer:
                text = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise EngineError(f"the gateway at {url} does not answer: {exc}") from exc
        if answer.status != 200:
            raise EngineError(f"the gateway answered {answer.status}: {text.decode(errors='replace')[:200]}")

    grpc = import_client()
    with with_key(grpc.InferenceServerClient(target.address), target.key) as client:
        try:
            direct = _direct(grpc, client, target, batch)
            runs: dict[str, Callable[[], object]] = {
                DIRECT: direct,
                GATEWAY: through,
                DECODING: lambda: detector.place(read_picture(BytesIO(body))),
            }
            return seconds_in_turns(runs, rounds, warm_up=WARM_UP, label="requests")
        except grpc.InferenceServerException as exc:
            raise EngineError(f"Triton at {target.address}: {exc.message()}") from exc
        finally:
            gateway.close()


def _bitmap(placed: PlacedPicture) -> bytes:
    height, width = placed.fit.resized_hw
    file = BytesIO()
    Image.fromarray(placed.canvas[:height, :width]).save(file, "BMP")
    return file.getvalue()


def _direct(grpc: Any, client: Any, target: TritonTarget, batch: CanvasBatch) -> Callable[[], None]:  # noqa: ANN401
    config = client.get_model_config(target.model, client_timeout=TIMEOUT_S).config
    arrays = request_arrays(batch, [each.name for each in config.input], batching=config.max_batch_size > 0)
    names: list[str] = [each.name for each in config.output]

    def ask() -> None:
        inputs: list[Any] = []
        for name, values in arrays.items():
            tensor = grpc.InferInput(name, list(values.shape), WIRE_TYPES[values.dtype])
            tensor.set_data_from_numpy(np.ascontiguousarray(values))
            inputs.append(tensor)
        result = client.infer(target.model, inputs, client_timeout=TIMEOUT_S)
        for name in names:
            result.as_numpy(name)

    return ask
