"""The HTTP application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from dirdet.access.settings import Access
from dirdet.detector import Detector
from dirdet.drain import Drain
from dirdet.failures import install_handlers
from dirdet.limits import ServerLimits
from dirdet.middleware import install_middleware
from dirdet.openapi import document
from dirdet.reloading import Reloader
from dirdet.routes.about import about_routes
from dirdet.routes.admin import admin_routes
from dirdet.routes.detect import detect_routes
from dirdet.routes.detectors import detectors_routes
from dirdet.routes.docs import add_docs
from dirdet.routes.metrics import metrics_routes
from dirdet.routes.open_inference import open_inference_routes
from dirdet.routes.page import add_page
from dirdet.served import ServedDetector
from dirdet.service import DetectionService
from dirdet.telemetry.metrics import Metrics
from dirdet.telemetry.traces import telemetry

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
        limits: what a request may bring; the documented ones unless given.
        access: who may ask; everybody unless given.

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
    """The API over a service, which may get its detector later and is closed when the app stops.

    Args:
        service: answers the requests.
        drain: ends the app without losing a request; only who stops it needs one.
        access: who may ask; everybody unless given.
        metrics: the service's observer; one that is told of requests alone unless given.
        reloader: replaces the service's detectors; nothing does unless given.

    Raises:
        MissingExtraError: the environment asks for OpenTelemetry export, which is not installed.
    """
    metrics = metrics or Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
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
        # Short names for the clients that are generated from the document.
        generate_unique_id_function=lambda route: route.name,
        telemetry=telemetry(),
    )
    drain = Drain() if drain is None else drain
    app.include_router(detect_routes(service))
    app.include_router(about_routes(service, drain))
    app.include_router(detectors_routes(service))
    app.include_router(admin_routes(reloader or Reloader(service)))
    app.include_router(open_inference_routes(service, drain))
    app.include_router(metrics_routes(metrics))
    add_docs(app)
    add_page(app)
    install_handlers(app)
    access = access or Access()
    install_middleware(app, access=access, drain=drain, metrics=metrics)
    document(app, keys=access.keys is not None, any_host=access.hosts is None)
    return app
