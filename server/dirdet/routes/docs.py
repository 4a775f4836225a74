"""GET /docs: the API's documentation as a page, every file of it from this server."""

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from dirdet.access.headers import page_policy

ASSETS = "/docs/assets"


def add_docs(app: FastAPI) -> None:
    """Adds the page, on Swagger UI's files as the package fastapi-swagger brings them."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        # Paths, not addresses: behind a proxy the server knows neither its name nor whether TLS is spoken.
        root = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=app.title,
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon-32x32.png",
            # Unless told, Swagger UI shows the document's address to a validator on the internet.
            swagger_ui_parameters={"validatorUrl": None},
        )
        # The page may load nothing from elsewhere, whatever its scripts come to ask for.
        page.headers["content-security-policy"] = page_policy(bytes(page.body).decode())
        return page
