"""Exceptions to problem responses: the app's handlers."""

import logging
from typing import cast
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from dirdet.api.problems import (
    ParameterProblem,
    headers_of,
    parameter_problem,
    plain_problem,
    problem_of,
    problem_response,
)
from dirdet.errors import DeadlineError, DirdetError, NotReadyError, OverloadedError, StoppingError, shown
from dirdet.gateway.http.middleware import allowed
from dirdet.gateway.http.request_parameters import repeated, unknown

log = logging.getLogger(__name__)

REFUSALS = (OverloadedError, NotReadyError, StoppingError, DeadlineError)


def install_handlers(app: FastAPI) -> None:
    """Answers every exception with a problem that shows no internals.

    The handlers are coroutines that await nothing: Starlette would run functions in threads.
    """
    app.add_exception_handler(DirdetError, _expected)
    app.add_exception_handler(RequestValidationError, _bad_query)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(_: Request, exc: Exception) -> Response:
    error = cast(DirdetError, exc)
    problem = problem_of(error)
    if problem.status >= 500:
        # Under load, refusals would fill the log.
        log.log(logging.DEBUG if isinstance(error, REFUSALS) else logging.ERROR, "%s", error)
    return problem_response(problem, headers=headers_of(error))


async def _bad_query(request: Request, exc: Exception) -> Response:
    wrong = repeated(request.query_params)
    named = {each.parameter for each in wrong}
    for error in cast(RequestValidationError, exc).errors():
        # loc is ("query", name, ...), with a number for an element of a list.
        name = str(error["loc"][1])
        if name not in named:
            is_unknown = error["type"] == "extra_forbidden"
            detail = unknown(name) if is_unknown else f"{error['msg']}, got {shown(error['input'])}"
            wrong.append(ParameterProblem(parameter=name, detail=detail))
    return problem_response(parameter_problem(wrong))


async def _plain(request: Request, exc: Exception) -> Response:
    error = cast(HTTPException, exc)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = allowed(headers["Allow"])
    detail = {
        404: f"there is no {request.url.path}; GET /docs lists what there is",
        405: f"{request.method} is not for {request.url.path}; allowed: {headers.get('Allow', 'nothing')}",
    }.get(error.status_code, str(error.detail))
    return problem_response(plain_problem(error.status_code, detail), headers=headers)


async def _gone(_: Request, exc: Exception) -> Response:  # noqa: ARG001
    """The client closed the connection: the answer is never read, and the server made no error."""
    return problem_response(plain_problem(400, "the client closed the connection"))


async def _unexpected(request: Request, exc: Exception) -> Response:
    instance = uuid4().urn
    log.error("%s %s failed, %s: %r", request.method, request.url.path, instance, exc)
    return problem_response(
        plain_problem(500, "an unexpected error of the server; its log says more", instance=instance)
    )
