"""An answer that is larger than what the system takes at once."""

import random
from io import BytesIO

from PIL import Image


def asking_for_megabytes() -> bytes:
    """A request for a drawing on a picture of noise."""
    body = BytesIO()
    Image.frombytes("RGB", (1200, 1000), random.Random(0).randbytes(3 * 1200 * 1000)).save(body, "PNG")
    head = b"POST /detect HTTP/1.1\r\nHost: x\r\nAccept: image/png\r\nContent-Type: image/png\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body.getvalue()) + body.getvalue()
