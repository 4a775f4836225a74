"""What stands around the routes, in one order: each sees what those before it answer."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from dirdet.access.guard import KEY_HEADER, Guard
from dirdet.access.headers import AnswerHeaders
from dirdet.access.hosts import KnownHosts
from dirdet.access.settings import Access
from dirdet.drain import Drain, Drained
from dirdet.head import HeadAsGet
from dirdet.linger import Lingering
from dirdet.telemetry.metrics import Metrics
from dirdet.telemetry.request_id import HEADER
from dirdet.telemetry.requests import RequestLog, declared_paths

# What a page may send and read beyond what every page may.
SENT = ("Authorization", KEY_HEADER, HEADER)
READ = ("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", HEADER)


def install_middleware(app: FastAPI, *, access: Access, drain: Drain, metrics: Metrics) -> None:
    """Puts everything around the app, from the inside out; called once its routes are declared.

    Args:
        app: answers.
        access: who is let in, and what pages may read.
        drain: is told of what is under way, and refuses the rest.
        metrics: are told of every request.
    """
    app.add_middleware(HeadAsGet)
    app.add_middleware(Guard, keys=access.keys)
    app.add_middleware(KnownHosts, allowed=access.hosts)
    app.add_middleware(Drained, drain=drain)  # outside of the guard: who stops asks nobody for a key
    build = app.build_middleware_stack

    # Outside of what `add_middleware` reaches, so that an answer of 500 can be read by a page too, and is told of; and
    # a preflight, which carries no key, never comes to the guard.
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
        stack = AnswerHeaders(stack)
        stack = Lingering(stack, drain=drain)
        return RequestLog(stack, metrics, paths=declared_paths(app))

    app.build_middleware_stack = outside
