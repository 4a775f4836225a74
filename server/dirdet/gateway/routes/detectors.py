"""GET /detector and /detectors, and one of them by its name."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from dirdet.api.answers import detector_name
from dirdet.api.schemas import DetectAnswer, DetectorInfo, DetectorList
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.gateway.http.openapi import BODY, problems
from dirdet.gateway.routes.detect import RESPONSES, DetectRoute, answer_detect
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.pictures.formats import MEDIA_TYPES

UNKNOWN = "No such detector; lists the existing ones"
ABOUT = problems(
    {500: "An error of the server", 503: "The detectors are not loaded yet; Retry-After says when to ask again"}
)
MISSING = problems({404: UNKNOWN})
Name = Annotated[str, Path(description="of the detector, as GET /detectors lists it")]


def detectors_routes(service: DetectionService) -> APIRouter:
    """The paths, bound to the service that answers them."""
    router = APIRouter(tags=["detect"])

    @router.get("/detector", response_model=DetectorInfo, responses=problems({500: "An error of the server"}))
    async def detector() -> Response:  # pyright: ignore[reportUnusedFunction]
        """The detector's classes, thresholds, provenance, measured quality and limitations."""
        return JSONResponse(_detector_info(service.served.detector, service.limits))

    @router.get("/detectors", response_model=DetectorList, responses=ABOUT)
    async def detectors() -> Response:  # pyright: ignore[reportUnusedFunction]
        """The served detectors; the first is the default one, which `/detect` and `/detector` use."""
        default = service.detectors.named().name
        manifests = [service.detectors.named(name).detector.manifest for name in service.detectors.names]
        return JSONResponse({"default": default, "detectors": [detector_name(each) for each in manifests]})

    @router.get("/detectors/{name}", response_model=DetectorInfo, responses=MISSING | ABOUT)
    async def named_detector(name: Name) -> Response:  # pyright: ignore[reportUnusedFunction]
        """As `GET /detector`, for the detector of this name."""
        return JSONResponse(_detector_info(service.detectors.named(name).detector, service.limits))

    detecting = APIRouter(route_class=DetectRoute)

    @detecting.post(
        "/detectors/{name}/detect",
        response_model=DetectAnswer,
        responses=dict(sorted((MISSING | RESPONSES).items(), key=str)),
        openapi_extra=BODY,
    )
    async def detect_by(name: Name, request: Request, query: Annotated[DetectOptions, Query()]) -> Response:  # pyright: ignore[reportUnusedFunction]
        """As `POST /detect`, by the detector of this name."""
        with service.detectors.held(name) as served:
            return await answer_detect(service, served, request, query)

    router.include_router(detecting)
    return router


def _detector_info(detector: Detector, limits: ServerLimits) -> dict[str, Any]:
    """The answer to GET /detector; schema `DetectorInfo`."""
    manifest = detector.manifest
    shown = {
        "limitations",
        "canvases",
        "resize",
        "defaults",
        "selection",
        "max_candidates",
        "max_detections",
        "mask_threshold",
        "quality",
        "calibration",
    }
    return {
        "name": manifest.name,
        "architecture": manifest.architecture,
        "localization_confidence": manifest.localization_confidence,
        "classes": [
            {"class_id": class_id, "name": category.name, "category_id": category.category_id}
            for class_id, category in enumerate(manifest.categories)
        ],
        **manifest.model_dump(mode="json", include=shown | {"provenance"}),
        "model_card": detector.model_card,
        "engine": detector.engine.description,
        "accepts": {
            "types": list(MEDIA_TYPES),
            "max_bytes": limits.picture.max_bytes,
            "max_pixels": limits.picture.max_pixels,
            "max_pictures": limits.max_pictures,
            "max_request_bytes": limits.max_request_bytes,
        },
    }
