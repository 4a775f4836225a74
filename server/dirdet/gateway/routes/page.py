"""GET /: the page for detecting in a browser; all its files come from this server."""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "page"
ASSETS = "/page"
# The page talks to this server only; its scripts and styles are files. blob: is a picture chosen in the browser. Text
# never becomes markup or script on the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# Revalidated each time, with 304 while unchanged: a page never runs with scripts of another version.
FRESH = {"cache-control": "no-cache"}


def add_page(app: FastAPI) -> None:
    """Adds the page and the files that it loads."""
    app.mount(ASSETS, FreshFiles(directory=FOLDER), name="page-assets")

    html = (FOLDER / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(html, headers=FRESH | {"content-security-policy": POLICY})

    # Browsers request this name for every page, even for an answer in JSON.
    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:  # pyright: ignore[reportUnusedFunction]
        return FileResponse(FOLDER / "icon.svg", media_type="image/svg+xml", headers=FRESH)


class FreshFiles(StaticFiles):
    """Static files that a browser caches and revalidates each time."""

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **options: Any) -> Response:  # noqa: ANN401
        """As Starlette's, with a cache rule: the browser revalidates the file before each use."""
        response = super().file_response(full_path, *args, **options)
        response.headers.update(FRESH)
        return response
