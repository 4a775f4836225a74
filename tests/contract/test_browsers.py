"""What a browser is told: whose pages may ask, what an answer may do, and what the documentation says of keys."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
PNG = {"content-type": "image/png"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_page_of_the_origin_may_ask_with_a_key(ask: Call, operator: str) -> None:
    asks = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,traceparent,x-api-key,x-request-timeout-ms",
    }
    preflight = ask("OPTIONS", "/detect", headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    answer = ask("GET", "/detector", headers=bearer(operator) | {"Origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    # A page can read why it was refused.
    refused = ask("GET", "/detector", headers={"Origin": "https://app.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")


def test_a_page_of_another_origin_may_not(ask: Call, call: Call, operator: str) -> None:
    for asked in (ask, call):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        preflight = asked("OPTIONS", "/detect", headers=headers)
        assert preflight.status_code in (400, 405)
        assert "access-control-allow-origin" not in preflight.headers
        answer = asked("GET", "/detector", headers=bearer(operator) | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


def test_an_error_of_the_server_can_be_read_by_a_page(
    ask: Call, engine: Any, operator: str, rectangles: Rectangles, encode: Encode
) -> None:
    engine.broken = RuntimeError("unexpected")
    headers = PNG | bearer(operator) | {"Origin": "https://app.example"}
    answer = ask("POST", "/detect", content=encode(rectangles()), headers=headers)
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_document_says_where_keys_are_needed(ask: Call, call: Call) -> None:
    document = ask("GET", "/openapi.json").json()
    assert document["security"] == [{"bearer": []}, {"header": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    assert document["paths"]["/health/ready"]["get"]["security"] == []
    assert "security" not in document["paths"]["/detect"]["post"]
    for path, method, statuses in (("/detect", "post", "401 429"), ("/change", "post", "401 403 429")):
        responses = document["paths"][path][method]["responses"]
        for status in statuses.split():
            example = responses[status]["content"]["application/problem+json"]["example"]
            assert example["status"] == int(status)
            assert responses[status]["headers"]
    # Without keys the document is the same but that none is needed.
    assert call("GET", "/openapi.json").json()["security"] == [{}, {"bearer": []}, {"header": []}]


@pytest.mark.parametrize("path_", ["/detector", "/nowhere", "/health/live", "/openapi.json"])
def test_answers_are_kept_by_nobody_and_are_no_pages(path_: str, call: Call) -> None:
    headers = call("GET", path_).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_page_may_run_its_own_script_and_no_other(call: Call) -> None:
    page = call("GET", "/docs")
    rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert rules["frame-ancestors"] == "'none'"
    assert "'unsafe-inline'" not in rules["script-src"]
    assert rules["script-src"].count("'sha256-") == page.text.count("<script>") == 1
    assert not [attribute for attribute in (" onload=", " onclick=") if attribute in page.text]


def test_the_pages_files_may_be_kept(call: Call) -> None:
    headers = call("GET", "/docs/assets/swagger-ui.css").headers
    assert headers["cache-control"] == "no-cache"
    again = call("GET", "/docs/assets/swagger-ui.css", headers={"if-none-match": headers["etag"]})
    assert again.status_code == 304
