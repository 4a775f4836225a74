"""POST /detect."""

from collections.abc import Sequence
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from dirdet.access.guard import count_pictures
from dirdet.answers import PictureAnswer, PictureFailure, detect_answer, problem_of_pictures
from dirdet.disconnect import cancelled_when_gone
from dirdet.draw import FORMATS
from dirdet.negotiation import negotiate
from dirdet.openapi import BINARY, BODY, problems
from dirdet.options import DetectOptions
from dirdet.problems import parameter_problem, problem_response
from dirdet.query import repeated
from dirdet.schemas import DetectAnswer
from dirdet.service import DetectionService
from dirdet.uploads import read_uploads

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
            503: "The detector does not answer; Retry-After says when to ask again",
            504: "The detector did not answer in time",
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
        if wrong := repeated(request.query_params):
            return problem_response(parameter_problem(wrong))
        media_type = negotiate(request.headers.get("accept"), [JSON, *FORMATS])
        settings = service.detector.settle(query)
        async with read_uploads(request, service.limits) as uploads, cancelled_when_gone(request):
            count_pictures(request, len(uploads))
            if media_type in FORMATS:
                return Response(await service.draw(uploads[0], settings, media_type), media_type=media_type)
            answers = await service.detect(uploads, settings)
        failures = [answer for answer in answers if isinstance(answer, PictureFailure)]
        if len(failures) == len(answers):
            return problem_response(problem_of_pictures(failures))
        if settings.candidates:  # thousands of objects, perhaps: others are answered meanwhile
            return await to_thread.run_sync(_answer, service, answers)
        return _answer(service, answers)

    return router


def _answer(service: DetectionService, answers: Sequence[PictureAnswer | PictureFailure]) -> Response:
    return JSONResponse(detect_answer(service.detector.manifest, answers))
