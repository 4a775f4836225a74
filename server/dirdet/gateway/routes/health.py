"""The health checks."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from dirdet.api.problems import headers_of, problem_of, problem_response
from dirdet.api.schemas import Health
from dirdet.errors import DirdetError, StoppingError
from dirdet.gateway.http.graceful_shutdown import Drain
from dirdet.gateway.http.openapi import problems
from dirdet.gateway.service.detection_service import DetectionService


def health_routes(service: DetectionService, drain: Drain) -> APIRouter:
    """The paths, bound to the service whose health they report and to the drain that stops it."""
    router = APIRouter()

    failed = {500: "An error of the server"}

    @router.get("/health/live", tags=["health"], responses=problems(failed))
    async def live() -> Health:  # pyright: ignore[reportUnusedFunction]
        """Whether the process answers at all; if not, restart it."""
        return Health(status="live")

    @router.get(
        "/health/ready",
        tags=["health"],
        response_model=Health,
        responses=problems(failed | {503: "The detector does not answer now"}),
    )
    async def ready() -> Response:  # pyright: ignore[reportUnusedFunction]
        """Whether a picture sent now would be answered; if not, send it elsewhere."""
        try:
            if drain.stopping:
                raise StoppingError("the server is stopping")
            await service.detectors.check_ready()
        except DirdetError as exc:  # not logged
            return problem_response(problem_of(exc), headers=headers_of(exc))
        return JSONResponse({"status": "ready"})

    return router
