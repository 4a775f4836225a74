"""POST /admin/reload."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from dirdet.api.schemas import ReloadAnswer, ReloadedDetector
from dirdet.errors import ParameterError
from dirdet.gateway.access.api_keys import Key
from dirdet.gateway.access.authentication import require_admin
from dirdet.gateway.http.openapi import problems
from dirdet.gateway.http.openapi_security import ADMIN_TAG
from dirdet.gateway.service.detector_reloader import Reloader

log = logging.getLogger(__name__)

PARAMETER = "detector"
RESPONSES = problems(
    {
        404: "No such detector; lists the existing ones",
        409: "Nothing was replaced; says what is wrong with the bundle, or why this server cannot reload",
        422: "A parameter that does not exist",
        500: "An error of the server",
        503: "The detectors are not loaded yet; Retry-After says when to ask again",
    }
)


def admin_routes(reloader: Reloader) -> APIRouter:
    """The path, bound to what it does."""
    router = APIRouter(prefix="/admin", tags=[ADMIN_TAG])

    @router.post("/reload", responses=RESPONSES)
    async def reload(  # pyright: ignore[reportUnusedFunction]
        request: Request,
        key: Annotated[Key, Depends(require_admin)],
        detector: Annotated[str | None, Query(description="only this one; all unless given")] = None,
    ) -> ReloadAnswer:
        """Reads the bundles again from the folders that the server was started with, and serves what has changed.

        It answers once the new detector serves. No request is dropped: those under way are finished by the old one. If
        a bundle is broken, nothing is replaced.
        """
        for name in request.query_params:
            if name != PARAMETER:
                raise ParameterError(name, f"there is no such parameter; there is {PARAMETER}")
        log.info("reload: asked for by %r", key.name)
        return ReloadAnswer(
            detectors=[
                ReloadedDetector(
                    name=each.now.name,
                    status="unchanged" if each.now == each.before else "reloaded",
                    checkpoint_sha256=each.now.provenance.checkpoint_sha256,
                    previous_checkpoint_sha256=each.before.provenance.checkpoint_sha256,
                )
                for each in await reloader.reload(detector)
            ]
        )

    return router
