"""GET /detectors, and one of them by its name."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from dirdet.answers import detector_info, detector_name
from dirdet.openapi import BODY, problems
from dirdet.options import DetectOptions
from dirdet.routes.detect import RESPONSES, answer_detect
from dirdet.schemas import DetectAnswer, DetectorInfo, DetectorList
from dirdet.service import DetectionService

UNKNOWN = "No such detector; names those there are"
ABOUT = problems(
    {500: "An error of the server", 503: "The detectors are not loaded yet; Retry-After says when to ask again"}
)
MISSING = problems({404: UNKNOWN})


def detectors_routes(service: DetectionService) -> APIRouter:
    """The paths, bound to the service that answers them."""
    router = APIRouter(tags=["detect"])

    @router.get("/detectors", response_model=DetectorList, responses=ABOUT)
    async def detectors() -> Response:  # pyright: ignore[reportUnusedFunction]
        """The detectors that are served; the first is the default one, which `/detect` and `/detector` are about."""
        default = service.detectors.named().name
        manifests = [service.detectors.named(name).detector.manifest for name in service.detectors.names]
        return JSONResponse({"default": default, "detectors": [detector_name(each) for each in manifests]})

    @router.get("/detectors/{name}", response_model=DetectorInfo, responses=MISSING | ABOUT)
    async def named_detector(name: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        """As `GET /detector`, of the detector of this name."""
        return JSONResponse(detector_info(service.detectors.named(name).detector, service.limits))

    @router.post(
        "/detectors/{name}/detect",
        response_model=DetectAnswer,
        responses=dict(sorted((MISSING | RESPONSES).items(), key=str)),
        openapi_extra=BODY,
    )
    async def detect_by(name: str, request: Request, query: Annotated[DetectOptions, Query()]) -> Response:  # pyright: ignore[reportUnusedFunction]
        """As `POST /detect`, by the detector of this name."""
        with service.detectors.held(name) as served:
            return await answer_detect(service, served, request, query)

    return router
