"""POST /detect."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute

from dirdet.api.answers import response_of
from dirdet.api.problems import parameter_problem, problem_response
from dirdet.api.schemas import DetectAnswer
from dirdet.detector.options import DetectOptions, settle
from dirdet.gateway.access.authentication import SPEND
from dirdet.gateway.http.openapi import BINARY, BODY, problems
from dirdet.gateway.http.request_parameters import TIMEOUT_HEADER, negotiate, read_timeout_s, repeated
from dirdet.gateway.http.uploads import announced_bytes, read_uploads
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detectors import ServedDetector
from dirdet.pictures.formats import ANSWERED

JSON = "application/json"
# Accept headers of most clients.
ANY = (None, "*/*", JSON)
NOTHING_ASKED = DetectOptions()
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The detections of every picture; or, by the Accept header, the first picture with its "
        "detections drawn on it. Of several pictures one that cannot be read has an error in place of detections.",
        "content": {media_type: {"schema": BINARY} for media_type in ANSWERED},
    },
    **problems(
        {
            400: "No picture, or a body that cannot be read",
            406: "No acceptable type: the answer can be " + ", ".join([JSON, *ANSWERED]),
            413: "A picture with too many bytes or pixels, or too large a request",
            415: "Not a picture, or not a type of body that is read",
            422: "A broken or truncated picture, several pictures all unreadable, or a bad parameter, which is named",
            500: "An error of the server",
            503: "The server is overloaded, or the detector does not answer; Retry-After says when to ask again",
            504: "The request was not answered within its timeout",
        }
    ),
}


class DetectRoute(APIRoute):
    """A route that calls its function itself if a request has no query, as most have.

    FastAPI's solver of dependencies makes a third of the Python calls of a request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                return await usual(request)
            return await self.endpoint(request=request, query=NOTHING_ASKED, **request.path_params)

        return handle


def detect_routes(service: DetectionService) -> APIRouter:
    """The path, bound to the service that answers it."""
    router = APIRouter(tags=["detect"], route_class=DetectRoute)

    @router.post("/detect", response_model=DetectAnswer, responses=RESPONSES, openapi_extra=BODY)
    async def detect(request: Request, query: Annotated[DetectOptions, Query()]) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Detects objects and tells how well each box fits.

        Send one or more pictures as `multipart/form-data`, field `image`, or one picture as the body itself, or in
        base64 as JSON.
        """
        with service.detectors.held() as served:
            return await answer_detect(service, served, request, query)

    return router


async def answer_detect(
    service: DetectionService, served: ServedDetector, request: Request, query: DetectOptions
) -> Response:
    """The answer of one detector, which stays open meanwhile.

    Raises:
        DirdetError: see `dirdet.api.problems`.
    """
    if request.query_params and (wrong := repeated(request.query_params)):
        return problem_response(parameter_problem(wrong))
    accept = request.headers.get("accept")
    media_type = JSON if accept in ANY else negotiate(accept, [JSON, *ANSWERED])
    limits = service.limits
    timeout_s = limits.timeout_s
    if (asked := request.headers.get(TIMEOUT_HEADER)) is not None:
        timeout_s = read_timeout_s(asked, max_s=limits.max_timeout_s)
    settings = settle(query, served.detector.manifest)
    async with (
        service.seated(served, timeout_s, announced_bytes=announced_bytes(request, limits)) as seat,
        read_uploads(request, limits, seat) as uploads,
    ):
        if (spend := getattr(request.state, SPEND, None)) is not None:
            spend(len(uploads) - 1)  # the request itself was counted as one
        if media_type in ANSWERED:
            drawn = await service.draw(served, uploads[0], settings, media_type, seat)
            return Response(drawn, media_type=media_type)
        return await service.detect(served, uploads, settings, seat, partial(response_of, served.detector.manifest))
