"""Puts the door before an app: the guard inside, CORS and the headers of every answer outermost."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dirdet.access.guard import KEY_HEADER, Guard
from dirdet.access.headers import AnswerHeaders
from dirdet.access.settings import Access
from dirdet.drain import Drain, Drained
from dirdet.linger import Lingering
from dirdet.telemetry.request_id import HEADER

# What a page may send and read beyond what every page may.
SENT = ("Authorization", KEY_HEADER, HEADER)
READ = ("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", HEADER)


def install_access(app: FastAPI, access: Access, drain: Drain) -> None:
    """Lets in only whom `access` lets in; called after the app's other middleware is added."""
    app.add_middleware(Guard, keys=access.keys)
    app.add_middleware(Drained, drain=drain)  # outside of the guard: who stops asks nobody for a key
    build = app.build_middleware_stack

    # Outside of what `add_middleware` reaches, so that an answer of 500 can be read by a page too; and a preflight,
    # which carries no key, never comes to the guard.
    def with_headers() -> ASGIApp:
        stack: ASGIApp = build()
        if access.cors_origins:
            stack = CORSMiddleware(
                stack,
                allow_origins=access.cors_origins,
                allow_methods=("GET", "HEAD", "POST"),
                allow_headers=SENT,
                expose_headers=READ,
            )
        return Lingering(AnswerHeaders(stack), drain=drain)

    app.build_middleware_stack = with_headers
