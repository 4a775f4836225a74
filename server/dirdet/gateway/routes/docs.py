"""GET /docs: the API's documentation as a page; all its files come from this server."""

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from dirdet.gateway.access.security_headers import page_policy
from dirdet.gateway.routes.page import FreshFiles

ASSETS = "/docs/assets"


def add_docs(app: FastAPI) -> None:
    """Adds the page, with Swagger UI's files from the package fastapi-swagger."""
    app.mount(ASSETS, FreshFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        # Paths, not addresses: behind a proxy the server knows neither its name nor its scheme.
        root = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=app.title,
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon-32x32.png",
            # By default Swagger UI sends the document's address to a validator on the internet.
            swagger_ui_parameters={"validatorUrl": None},
        )
        # The page loads nothing from other origins, whatever its scripts request.
        page.headers["content-security-policy"] = page_policy(bytes(page.body).decode())
        return page
