"""Keys in the OpenAPI document: how to send them, which operations need them, and the answers without."""

from http import HTTPStatus
from typing import Any

from dirdet.api.problems import MEDIA_TYPE, headers_of, problem_of
from dirdet.errors import DirdetError, ForbiddenError, RateLimitError, UnauthorizedError
from dirdet.gateway.access.authentication import HOW, KEY_HEADER
from dirdet.gateway.access.public_paths import is_open
from dirdet.gateway.http.middleware import misdirected

SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key as `dirdet key` makes it"},
    "header": {"type": "apiKey", "in": "header", "name": KEY_HEADER, "description": "The same key"},
}
# Routes of this tag need an admin's key, by `dirdet.gateway.access.authentication.require_admin`.
ADMIN_TAG = "admin"

UNAUTHORIZED = UnauthorizedError(f"the request has no key; {HOW}")
FORBIDDEN = ForbiddenError("this needs the key of an admin; 'phone' is not one")
TOO_MANY = RateLimitError("'phone' may send pictures at 10/s; ask again in 1 s", retry_after_s=1)
HEADERS = {
    "WWW-Authenticate": "how a key is sent (RFC 6750)",
    "Retry-After": "seconds after which a request passes",
    "RateLimit": "pictures left now (r), and seconds until there are more (t)",
    "RateLimit-Policy": "pictures at once (q), and seconds until there are so many again (w)",
}


def document_keys(document: dict[str, Any], *, required: bool, reference: str) -> None:
    """Adds keys to an OpenAPI document, in place.

    Args:
        document: with all its paths.
        required: whether this server needs keys; if not, they are optional and ignored.
        reference: to the schema of a problem.
    """
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    either: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    document["security"] = either if required else [{}, *either]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if is_open(path):
                operation["security"] = []
                continue
            added = {401: _response("No key, or an unknown one", UNAUTHORIZED, reference)}
            if ADMIN_TAG in operation.get("tags", []):
                added[403] = _response("The key is not an admin's", FORBIDDEN, reference)
            added[429] = _response(
                "More pictures than the key's rate; of a request without one, more requests", TOO_MANY, reference
            )
            responses: dict[str, Any] = operation["responses"]
            responses |= {str(status): response for status, response in added.items()}
            operation["responses"] = dict(sorted(responses.items()))


def document_hosts(document: dict[str, Any], *, reference: str) -> None:
    """Adds the answer to a wrong host to every operation of an OpenAPI document, in place."""
    described = _response("The server does not answer for this host", misdirected("evil.example"), reference)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"] = dict(sorted({**operation["responses"], "421": described}.items()))


def _response(description: str, error: DirdetError, reference: str) -> dict[str, Any]:
    names = list(headers_of(error))
    if problem_of(error).status == HTTPStatus.TOO_MANY_REQUESTS:
        names += ["RateLimit", "RateLimit-Policy"]
    return {
        "description": description,
        "headers": {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names},
        "content": {MEDIA_TYPE: {"schema": {"$ref": reference}, "example": problem_of(error).to_json()}},
    }
