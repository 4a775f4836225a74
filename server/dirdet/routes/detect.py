"""POST /detect."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from dirdet.access.guard import count_pictures
from dirdet.answers import PictureAnswer, PictureFailure, detect_answer, problem_of_pictures
from dirdet.bundle import Manifest
from dirdet.deadline import HEADER, read_timeout_s
from dirdet.disconnect import cancelled_when_gone
from dirdet.draw import FORMATS
from dirdet.negotiation import negotiate
from dirdet.openapi import BINARY, BODY, problems
from dirdet.options import DetectOptions
from dirdet.problems import parameter_problem, problem_response
from dirdet.query import repeated
from dirdet.schemas import DetectAnswer
from dirdet.served import ServedDetector
from dirdet.service import DetectionService
from dirdet.uploads import announced_bytes, read_uploads

JSON = "application/json"
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The detections of every picture; or, by the Accept header, the first picture with its "
        "detections drawn on it. Of several pictures one that cannot be read has an error in place of detections.",
        "content": {media_type: {"schema": BINARY} for media_type in FORMATS},
    },
    **problems(
        {
            400: "No picture, or a body that cannot be read",
            406: "No acceptable type: the answer can be " + ", ".join([JSON, *FORMATS]),
            413: "A picture with too many bytes or pixels, or too large a request",
            415: "Not a picture, or not a type of body that is read",
            422: "A broken or truncated picture, several of which none can be read, or a bad parameter, which is named",
            500: "An error of the server",
            503: "No room for the request now, or the detector does not answer; Retry-After says when to ask again",
            504: "The request was not answered in the time that it had",
        }
    ),
}


def detect_routes(service: DetectionService) -> APIRouter:
    """The path, bound to the service that answers it."""
    router = APIRouter(tags=["detect"])

    @router.post("/detect", response_model=DetectAnswer, responses=RESPONSES, openapi_extra=BODY)
    async def detect(request: Request, query: Annotated[DetectOptions, Query()]) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Detects objects and tells how well each box fits.

        Send one or more pictures as `multipart/form-data`, field `image`, or one picture as the body itself.
        """
        with service.detectors.held() as served:
            return await answer_detect(service, served, request, query)

    return router


async def answer_detect(
    service: DetectionService, served: ServedDetector, request: Request, query: DetectOptions
) -> Response:
    """The answer to a request for detections by one detector, which is held meanwhile.

    Raises:
        DirdetError: see `dirdet.problems`.
    """
    if wrong := repeated(request.query_params):
        return problem_response(parameter_problem(wrong))
    media_type = negotiate(request.headers.get("accept"), [JSON, *FORMATS])
    limits = service.limits
    timeout_s = read_timeout_s(request.headers.get(HEADER), default_s=limits.timeout_s, max_s=limits.max_timeout_s)
    settings = served.detector.settle(query)
    shadowed = service.shadows.of_request(served, query, settings)
    async with (
        service.seated(served, timeout_s, announced_bytes=announced_bytes(request, limits)) as seat,
        read_uploads(request, limits, seat) as uploads,
        cancelled_when_gone(request),
    ):
        count_pictures(request, len(uploads))
        if media_type in FORMATS:
            drawn = await service.draw(served, uploads[0], settings, media_type, seat, shadowed)
            return Response(drawn, media_type=media_type)
        return await service.detect(
            served, uploads, settings, seat, partial(_response, served.detector.manifest), shadowed
        )


def _response(manifest: Manifest, answers: Sequence[PictureAnswer | PictureFailure]) -> Response:
    failures = [answer for answer in answers if isinstance(answer, PictureFailure)]
    if len(failures) == len(answers):
        return problem_response(problem_of_pictures(failures))
    return JSONResponse(detect_answer(manifest, answers))
