"""Headers that say what a browser may do with an answer, and with a page of this server."""

import base64
import hashlib
import re

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
# Of answers that are no pages: a browser that shows one as a page loads nothing.
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_policy(page: str) -> str:
    """A Content-Security-Policy for a page that loads from this server only, with hashes of its inline scripts.

    Args:
        page: the HTML as it is sent.
    """
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in INLINE_SCRIPT.findall(page)
    ]
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self' 'unsafe-inline'",
            # data: is Swagger UI's icons; blob: a drawn picture that was asked for on the page.
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
