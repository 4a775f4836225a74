"""GET /docs: works on a machine without the internet."""

import re
from collections.abc import Callable

import httpx

Call = Callable[..., httpx.Response]


def test_the_page_names_no_other_host(call: Call) -> None:
    page = call("GET", "/docs")
    assert page.status_code == 200
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text, flags=re.DOTALL)


def test_the_browser_is_told_to_ask_no_other_host(call: Call) -> None:
    policy = call("GET", "/docs").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "http" not in policy
    assert "*" not in policy


def test_every_file_that_the_page_names_is_served(call: Call) -> None:
    page = call("GET", "/docs").text
    named = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", page)
    paths = sorted(path for pair in named for path in pair if path)
    assert [path.rpartition("/")[2] for path in paths] == [
        "favicon-32x32.png",
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "openapi.json",
    ]
    for path in paths:
        response = call("GET", path)
        assert response.status_code == 200
        assert len(response.content) > 500


def test_a_style_sheet_that_loads_nothing_from_elsewhere(call: Call) -> None:
    css = call("GET", "/docs/assets/swagger-ui.css").text
    assert "@import" not in css
    assert not [target for target in re.findall(r"url\(\s*['\"]?([^)'\"]+)", css) if not target.startswith("data:")]


def test_no_validator_is_asked_about_the_document(call: Call) -> None:
    assert '"validatorUrl": null' in call("GET", "/docs").text


def test_behind_a_proxy_the_page_needs_no_name_of_the_server(call: Call) -> None:
    assert "example.com" not in call("GET", "/docs", headers={"host": "example.com"}).text
