"""The Accept header."""

import pytest

from dirdet.errors import NotAcceptableError
from dirdet.gateway.http.request_parameters import negotiate

OFFERED = ["application/json", "image/jpeg", "image/png"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("nonsense", "application/json"),
        ("*/*", "application/json"),
        (BROWSER, "application/json"),
        ("application/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG ; Q=1", "image/png"),
        ("image/*", "image/jpeg"),
        ("image/*, image/jpeg;q=0.1", "image/png"),
        ("image/png, */*", "image/png"),
        ("image/png;q=0.4, application/json;q=0.5", "application/json"),
        ("image/png;q=0.5, application/json;q=0.4", "image/png"),
        ("image/png, image/jpeg", "image/png"),
        ("application/json;q=0, */*", "image/jpeg"),
        ("image/png;q=x, image/jpeg;q=0.001", "image/jpeg"),
    ],
)
def test_the_type_that_the_client_likes_best(accept: str | None, chosen: str) -> None:
    assert negotiate(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "*/*;q=0", "image/png;q=0"])
def test_none_is_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="can be application/json, image/jpeg, image/png"):
        negotiate(accept, OFFERED)


def test_of_a_header_without_end_the_beginning_counts() -> None:
    assert negotiate("image/png," + "a/b," * 15_000, OFFERED) == "image/png"
    with pytest.raises(NotAcceptableError) as caught:
        negotiate("a/b," * 15_000 + "image/png", OFFERED)
    assert len(str(caught.value)) < 400
