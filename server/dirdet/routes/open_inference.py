"""/v2: the Open Inference Protocol."""

from functools import partial
from importlib.metadata import version

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from dirdet.access.guard import count_pictures
from dirdet.deadline import HEADER as TIMEOUT
from dirdet.deadline import read_timeout_s
from dirdet.detector import MAX_BATCH
from dirdet.disconnect import cancelled_when_gone
from dirdet.drain import Drain
from dirdet.open_inference.answer import VERSION, infer_answer, wanted_outputs
from dirdet.open_inference.body import read_body
from dirdet.open_inference.canvases import canvas_batch
from dirdet.open_inference.documented import INFER_BODY, INFER_RESPONSES, errors
from dirdet.open_inference.errors import ProtocolRoute
from dirdet.open_inference.model import ServedModels
from dirdet.open_inference.request import HEADER_LENGTH, header_length, read_inference
from dirdet.open_inference.schemas import (
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from dirdet.open_inference.tensors import output_arrays, protocol_tensors
from dirdet.service import DetectionService
from dirdet.uploads import announced_bytes

PLATFORM = "dirdet"
# JSON tensors that are read at once: each takes many times its own size meanwhile.
READERS = 2


def open_inference_routes(service: DetectionService, drain: Drain) -> APIRouter:
    """The paths, bound to the service that answers them and to what ends it."""
    router = APIRouter(prefix="/v2", tags=["open inference protocol"], route_class=ProtocolRoute)
    models = ServedModels(service, drain)

    @router.get("", responses=errors(500))
    async def server_metadata() -> ServerMetadata:  # pyright: ignore[reportUnusedFunction]
        """What the server is, and which extensions of the protocol it speaks."""
        return ServerMetadata(name="dirdet", version=version("dirdet"), extensions=["binary_tensor_data"])

    @router.get("/health/live", responses=errors(500))
    async def server_live() -> ServerLive:  # pyright: ignore[reportUnusedFunction]
        """Whether the process answers at all."""
        return ServerLive(live=True)

    @router.get("/health/ready", responses=errors(500, 503))
    async def server_ready() -> ServerReady:  # pyright: ignore[reportUnusedFunction]
        """Whether an inference sent now would be answered."""
        await models.check_ready()
        return ServerReady(ready=True)

    @router.get("/models/{name}", responses=errors(404, 500))
    @router.get("/models/{name}/versions/{version}", include_in_schema=False)
    async def model_metadata(name: str, request: Request) -> ModelMetadata:  # pyright: ignore[reportUnusedFunction]
        """What the model takes and gives; `GET /detectors/{name}` says what it all means."""
        inputs, outputs = protocol_tensors(models.named(request).detector.manifest)
        return ModelMetadata(
            name=name,
            versions=[VERSION],
            platform=PLATFORM,
            inputs=[TensorMetadata.model_validate(each.to_json()) for each in inputs],
            outputs=[TensorMetadata.model_validate(each.to_json()) for each in outputs],
        )

    @router.get("/models/{name}/ready", responses=errors(404, 500, 503))
    @router.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, request: Request) -> ModelReady:  # pyright: ignore[reportUnusedFunction]
        """Whether an inference sent now would be answered."""
        models.named(request)
        await models.check_ready(name)
        return ModelReady(name=name, ready=True)

    add_infer(router, service, models)
    return router


def add_infer(router: APIRouter, service: DetectionService, models: ServedModels) -> None:
    """Adds the path that detects; a router inside of the other would hide its prefix from who asks for the route."""
    reading = anyio.CapacityLimiter(READERS)

    @router.post(
        "/models/{name}/infer", response_model=InferResponse, responses=INFER_RESPONSES, openapi_extra=INFER_BODY
    )
    @router.post("/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(name: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Detects on canvases, tensors in and tensors out, before and after what `POST /detect` does.

        A canvas is the resized picture at the top left of zeros (`resize` and `canvases` of `GET /detectors/{name}`),
        boxes are in its pixels. All inputs but `canvas` may be left out. `kept` has the positions of the detections
        among the candidates, most confident first; what lies beyond `num_candidates` and `num_detections` is padding.
        """
        with models.held(request) as served:
            manifest = served.detector.manifest
            inputs, outputs = protocol_tensors(manifest)
            length = header_length(request.headers.get(HEADER_LENGTH))
            limits = service.limits
            timeout_s = read_timeout_s(
                request.headers.get(TIMEOUT), default_s=limits.timeout_s, max_s=limits.max_timeout_s
            )
            async with service.seated(served, timeout_s, announced_bytes=announced_bytes(request, limits)) as seat:
                body = await read_body(request, seat, max_bytes=limits.max_request_bytes)
                async with cancelled_when_gone(request):
                    inference = await to_thread.run_sync(partial(read_inference, body, length), limiter=reading)
                    wanted = wanted_outputs(inference, [each.name for each in outputs])
                    batch = canvas_batch(inference.arrays, inputs, manifest, max_batch=MAX_BATCH)
                    count_pictures(request, len(batch.canvas))
                    candidates = await service.infer(served, batch, seat)
                    arrays = output_arrays(candidates, len(batch.canvas))
                    return await service.write(served, partial(infer_answer, name, inference, wanted, arrays))
