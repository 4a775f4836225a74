"""Bare connections to a server: for what a client library would not do."""

import json
import socket
from http.client import HTTPResponse
from typing import Any

from loopback import Address
from waiting import PATIENCE_S


class Connection:
    """One request, as slowly as a test wants."""

    def __init__(self, address: Address, *headers: str, media_type: str = "image/png") -> None:
        self._socket = socket.create_connection(address, timeout=PATIENCE_S)
        lines = ["POST /detect HTTP/1.1", "Host: x", f"Content-Type: {media_type}", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers by lower-case name, and the JSON body; then the connection is closed."""
        with self, HTTPResponse(self._socket) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, json.loads(response.read())

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def post(address: Address, body: bytes, *headers: str, media_type: str = "image/png") -> Connection:
    """A request with its whole body; the answer is still to be read."""
    connection = Connection(address, f"Content-Length: {len(body)}", *headers, media_type=media_type)
    connection.send(body)
    return connection
