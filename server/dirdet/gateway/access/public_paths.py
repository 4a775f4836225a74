"""The paths that need no key: health checks, documentation and the page, which show no user's pictures."""

from starlette.types import Scope

# Probes send no keys, nor does a browser that opens the page. Every other path needs a key.
HEALTH = frozenset({"/health/live", "/health/ready"})
OPEN = HEALTH | {"/", "/docs", "/openapi.json", "/favicon.ico"}
# Files of the pages.
OPEN_BELOW = ("/docs/assets/", "/page/")


def is_open(path: str) -> bool:
    """Whether the path of a route needs no key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def route_path(scope: Scope) -> str:
    """The path as the routes see it: without the prefix that --root-path names."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :]
    return path
