"""GET /detector and the health checks."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from dirdet.answers import detector_info
from dirdet.drain import Drain
from dirdet.errors import DirdetError, StoppingError
from dirdet.openapi import problems
from dirdet.problems import headers_of, problem_of, problem_response
from dirdet.schemas import DetectorInfo, Health
from dirdet.service import DetectionService


def about_routes(service: DetectionService, drain: Drain) -> APIRouter:
    """The paths, bound to the service they tell of and to what ends it."""
    router = APIRouter()

    failed = {500: "An error of the server"}

    @router.get("/detector", tags=["detect"], response_model=DetectorInfo, responses=problems(failed))
    async def detector() -> Response:  # pyright: ignore[reportUnusedFunction]
        """What the detector knows, its thresholds, where it comes from, how good it is and what it cannot do."""
        return JSONResponse(detector_info(service.served.detector, service.limits))

    @router.get("/health/live", tags=["health"], responses=problems(failed))
    async def live() -> Health:  # pyright: ignore[reportUnusedFunction]
        """Whether the process answers at all; if not, restart it."""
        return Health(status="live")

    @router.get(
        "/health/ready",
        tags=["health"],
        response_model=Health,
        responses=problems(failed | {503: "The detector would not answer now"}),
    )
    async def ready() -> Response:  # pyright: ignore[reportUnusedFunction]
        """Whether a picture sent now would be answered; if not, send it elsewhere."""
        try:
            if drain.stopping:
                raise StoppingError("the server is stopping")
            await service.detectors.check_ready()
        except DirdetError as exc:  # here no matter for the log
            return problem_response(problem_of(exc), headers=headers_of(exc))
        return JSONResponse({"status": "ready"})

    return router
