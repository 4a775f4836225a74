"""HTTP's own parser, strict where two servers in a row could read two different requests."""

from typing import Any

import h11


class StrictParser(h11.Connection):
    """h11's, which lets a request tell the length of its body twice and then goes by the chunks.

    A proxy in front that goes by Content-Length would take what follows for another request (RFC 9112, section 6.1,
    lets a server refuse such a one, and forbids it to keep the connection).
    """

    def next_event(self) -> Any:  # noqa: ANN401 - h11's own
        """As h11's.

        Raises:
            h11.RemoteProtocolError: what came is no request of one meaning.
        """
        event = super().next_event()
        if isinstance(event, h11.Request) and _is_ambiguous(event):
            raise h11.RemoteProtocolError("expected Content-Length or Transfer-Encoding, found both")
        return event


def _is_ambiguous(request: h11.Request) -> bool:
    names = {name for name, _ in request.headers}  # in lower case
    return b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1")
