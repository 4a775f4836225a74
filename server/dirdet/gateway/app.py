"""The HTTP application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dirdet.detector.detector import Detector
from dirdet.gateway.access.authentication import KEY_HEADER, Guard
from dirdet.gateway.access.settings import Access
from dirdet.gateway.http.exception_handlers import install_handlers
from dirdet.gateway.http.graceful_shutdown import Drain
from dirdet.gateway.http.middleware import AbsoluteTargets, AnswerHeaders, Drained, HeadAsGet, KnownHosts, StrictFraming
from dirdet.gateway.http.openapi import document
from dirdet.gateway.http.request_parameters import TIMEOUT_HEADER
from dirdet.gateway.routes.admin import admin_routes
from dirdet.gateway.routes.detect import detect_routes
from dirdet.gateway.routes.detectors import detectors_routes
from dirdet.gateway.routes.docs import add_docs
from dirdet.gateway.routes.health import health_routes
from dirdet.gateway.routes.metrics import metrics_routes
from dirdet.gateway.routes.page import add_page
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detector_reloader import Reloader
from dirdet.gateway.service.detectors import ServedDetector
from dirdet.gateway.telemetry.metrics import Metrics
from dirdet.gateway.telemetry.request_log import HEADER, RequestLog, declared_paths
from dirdet.gateway.telemetry.traces import telemetry
from dirdet.pictures.reading import silence_parsers

# Headers that pages of other origins may send and read.
SENT = ("Authorization", KEY_HEADER, HEADER, TIMEOUT_HEADER, "traceparent", "tracestate")
READ = ("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", HEADER)
DESCRIPTION = (
    "Every detection carries a localization confidence: `iou`, how well its box fits the object, from the predicted "
    "`purity` and `integrity`. `confidence` joins it with the classifier's `score`. Errors are "
    "`application/problem+json`."
)


def create_app(
    detector: Detector, *others: Detector, limits: ServerLimits | None = None, access: Access | None = None
) -> FastAPI:
    """The API over detectors that are loaded already; they are closed when the app stops.

    Args:
        detector: answers the requests; the default one where there are several.
        others: answer requests to their names.
        limits: of requests; the documented ones unless given.
        access: of clients; unrestricted unless given.

    Raises:
        MissingExtraError: the environment asks for OpenTelemetry export, which is not installed.
    """
    metrics = Metrics()
    service = DetectionService(limits or ServerLimits(), metrics)
    inferences = service.inferences
    service.serve(
        *(ServedDetector(each, service.limits, metrics, inferences=inferences) for each in (detector, *others))
    )
    return app_over(service, access=access, metrics=metrics)


def app_over(
    service: DetectionService,
    drain: Drain | None = None,
    *,
    access: Access | None = None,
    metrics: Metrics | None = None,
    reloader: Reloader | None = None,
) -> FastAPI:
    """The API over a service, whose detector may be loaded later; the service is closed when the app stops.

    Args:
        service: answers the requests.
        drain: counts requests and stops the app gracefully; a new one unless given.
        access: of clients; unrestricted unless given.
        metrics: the service's observer; unless given, a new one that measures requests only.
        reloader: replaces the service's detectors; unless given, they cannot be replaced.

    Raises:
        MissingExtraError: the environment asks for OpenTelemetry export, which is not installed.
    """
    metrics = metrics or Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        silence_parsers()
        yield
        service.close()

    app = FastAPI(
        title="dirdet",
        version=version("dirdet"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        # Short names for clients generated from the document.
        generate_unique_id_function=lambda route: route.name,
        telemetry=telemetry(),
    )
    drain = Drain() if drain is None else drain
    app.include_router(detect_routes(service))
    app.include_router(health_routes(service, drain))
    app.include_router(detectors_routes(service))
    app.include_router(admin_routes(reloader or Reloader(service)))
    app.include_router(metrics_routes(metrics))
    add_docs(app)
    add_page(app)
    install_handlers(app)
    access = access or Access()
    _install_middleware(app, access=access, drain=drain, metrics=metrics)
    document(app, keys=access.keys is not None, any_host=access.hosts is None)
    return app


def _install_middleware(app: FastAPI, *, access: Access, drain: Drain, metrics: Metrics) -> None:
    """Adds all middleware, from the inside out; call it after the routes are declared.

    Args:
        app: to wrap.
        access: of clients.
        drain: counts requests, and refuses new ones while the server stops.
        metrics: measure every request.
    """
    if access.keys is not None:
        app.add_middleware(Guard, keys=access.keys)
    if access.hosts is not None:
        app.add_middleware(KnownHosts, allowed=access.hosts)
    app.add_middleware(Drained, drain=drain)  # outside of the guard: a server that stops needs no key to refuse
    build = app.build_middleware_stack

    # Outside of what `add_middleware` reaches: pages can read answers of 500 too, which are logged, and a preflight
    # request, which has no key, does not reach the guard.
    def outside() -> ASGIApp:
        stack: ASGIApp = build()
        if access.cors_origins:
            stack = CORSMiddleware(
                stack,
                allow_origins=access.cors_origins,
                allow_methods=("GET", "HEAD", "POST"),
                allow_headers=SENT,
                expose_headers=READ,
            )
        stack = AnswerHeaders(AbsoluteTargets(StrictFraming(HeadAsGet(stack))))
        return RequestLog(stack, metrics, paths=declared_paths(app))

    app.build_middleware_stack = outside
