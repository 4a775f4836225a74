"""GET /: a page on which a person detects, every file of it from this server."""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "page"
ASSETS = "/page"
# The page sends pictures to this server and loads nothing from elsewhere; its scripts and styles are files. blob: is a
# picture that was chosen in the browser. Nothing on the page may become markup or script from text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# Asked for again each time, answered by 304 while unchanged: no page of one version with scripts of another.
FRESH = {"cache-control": "no-cache"}


def add_page(app: FastAPI) -> None:
    """Adds the page and the files that it loads."""
    app.mount(ASSETS, _PageFiles(directory=FOLDER), name="page-assets")

    html = (FOLDER / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def page() -> Response:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(html, headers=FRESH | {"content-security-policy": POLICY})

    # Browsers ask for it by this name whatever they show, an answer in JSON too.
    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:  # pyright: ignore[reportUnusedFunction]
        return FileResponse(FOLDER / "icon.svg", media_type="image/svg+xml", headers=FRESH)


class _PageFiles(StaticFiles):
    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **options: Any) -> Response:  # noqa: ANN401
        """As Starlette's; a browser may keep the file but not use it unasked."""
        response = super().file_response(full_path, *args, **options)
        response.headers.update(FRESH)
        return response
