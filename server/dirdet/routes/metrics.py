"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Response

from dirdet.openapi import problems
from dirdet.telemetry.metrics import MEDIA_TYPE, Metrics


def metrics_routes(metrics: Metrics) -> APIRouter:
    """The path, bound to the figures it tells."""
    router = APIRouter()

    # Reading several processes' files takes a moment: a plain function runs in a thread.
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
        """Durations, queue, batches and what was detected, in Prometheus' text format."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    return router
