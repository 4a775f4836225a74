"""GET /: a page whose every file comes from this server, under a strict policy."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dirdet.gateway.routes.page import FOLDER

Call = Callable[..., httpx.Response]
SCRIPTS = sorted((FOLDER / "js").glob("*.js"))
STYLES = sorted((FOLDER / "css").glob("*.css"))


@pytest.fixture
def html(call: Call) -> str:
    response = call("GET", "/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def test_every_file_that_it_names_is_served(call: Call, html: str) -> None:
    named = [path for path in re.findall(r'(?:href|src)="([^"]+)"', html) if path != "docs"]
    # Without a leading slash: behind a proxy that strips a prefix they are still found.
    assert all(re.fullmatch(r"page/[a-z/-]+\.(css|js|svg)", path) for path in named)
    # Browsers run modules of either type; which one, the machine's list of types says.
    types = {"css": {"text/css"}, "js": {"text/javascript", "application/javascript"}, "svg": {"image/svg+xml"}}
    for path in named:
        response = call("GET", f"/{path}")
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] in types[path.rpartition(".")[2]]


def test_every_module_imports_from_beside_it_and_is_imported(html: str) -> None:
    imported: set[str] = set()
    for script in SCRIPTS:
        for target in re.findall(r'from "([^"]+)"', script.read_text()):
            assert (FOLDER / "js" / target).is_file(), f"{script.name} imports {target}"
            imported.add(Path(target).name)
    assert {script.name for script in SCRIPTS} - imported == {"main.js"}
    assert set(re.findall(r"page/css/([a-z]+\.css)", html)) == {style.name for style in STYLES}


def test_nothing_is_inline_and_nothing_from_elsewhere(html: str) -> None:
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", html)
    texts = [html, *(path.read_text() for path in [*SCRIPTS, *STYLES])]
    for text in texts:
        assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg", "https://[^"}
        assert "@import" not in text
    assert not any(
        re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|localStorage|cookie", text) for text in texts
    )


def test_the_policy_lets_nothing_inline_run(call: Call) -> None:
    policy = call("GET", "/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("path", ["/", "/page/js/main.js", "/page/example.jpg"])
def test_a_browser_asks_again_whether_a_file_has_changed(path: str, call: Call) -> None:
    response = call("GET", path)
    assert response.headers["cache-control"] == "no-cache"
    if path != "/":
        again = call("GET", path, headers={"if-none-match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/page/js/main.js"])
def test_head(path: str, call: Call) -> None:
    assert call("HEAD", path).status_code == 200


@pytest.mark.parametrize("path", ["/page/js/none.js", "/page/", "/page/../app.py", "/page/%2e%2e/app.py"])
def test_nothing_else_is_served(path: str, call: Call) -> None:
    response = call("GET", path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_small_files() -> None:
    assert max(len(path.read_text().splitlines()) for path in [*SCRIPTS, *STYLES]) <= 250
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 200_000


def test_a_browser_finds_the_icon_by_its_old_name(call: Call, ask: Call) -> None:
    for asked in (call, ask):  # the second wants keys of others
        icon = asked("GET", "/favicon.ico")
        assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
        assert icon.text == (FOLDER / "icon.svg").read_text()
