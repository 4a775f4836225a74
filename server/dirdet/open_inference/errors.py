"""Errors in the protocol's form, where all other paths answer with problems."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from dirdet.errors import DirdetError
from dirdet.failures import REFUSALS
from dirdet.problems import headers_of, problem_of

log = logging.getLogger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ProtocolRoute(APIRoute):
    """A path whose every error is {"error": ...}, with the status that the same error has elsewhere."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, and what it raises answered."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except DirdetError as exc:
                problem = problem_of(exc)
                if problem.status >= 500:
                    log.log(logging.DEBUG if isinstance(exc, REFUSALS) else logging.ERROR, "%s", exc)
                return JSONResponse({"error": problem.detail}, problem.status, headers=headers_of(exc))
            except ClientDisconnect:
                raise
            except Exception as exc:
                instance = uuid4().urn
                log.error("%s %s failed, %s: %r", request.method, request.url.path, instance, exc)
                detail = f"the server met an error it did not expect; its log says more ({instance})"
                return JSONResponse({"error": detail}, 500)

        return answered
