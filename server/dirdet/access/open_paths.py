"""What needs no key: the health checks, the documentation and the page, which say nothing of anybody's pictures."""

from starlette.types import Scope

# Probes carry no keys, and a browser sends none with the page it opens. What is not named here needs a key.
HEALTH = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
OPEN = HEALTH | {"/", "/docs", "/openapi.json", "/favicon.ico"}
# Files of the pages.
OPEN_BELOW = ("/docs/assets/", "/page/")


def is_open(path: str) -> bool:
    """Whether the path of a route needs no key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def route_path(scope: Scope) -> str:
    """The path as the routes see it: without the prefix that a proxy took away and --root-path names."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :]
    return path
