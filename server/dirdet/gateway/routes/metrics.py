"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Response

from dirdet.gateway.http.openapi import problems
from dirdet.gateway.telemetry.metrics import MEDIA_TYPE, Metrics


def metrics_routes(metrics: Metrics) -> APIRouter:
    """The path, bound to the metrics it shows."""
    router = APIRouter()

    # Reading the files of several processes takes time: FastAPI runs a plain function in a thread.
    @router.get(
        "/metrics",
        tags=["health"],
        response_class=Response,
        responses={
            200: {"description": "Prometheus' text format", "content": {"text/plain": {}}},
            **problems({500: "An error of the server"}),
        },
    )
    def metrics_text() -> Response:  # pyright: ignore[reportUnusedFunction]
        """Durations, queue, batches and detections, in Prometheus' text format."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    return router
