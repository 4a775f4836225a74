"""Exits with 0 if the gateway in this container is ready, by HTTP or with its own certificate."""

import os
import ssl
import sys
from http.client import HTTPConnection, HTTPSConnection

HOST, PORT, TIMEOUT_S = "127.0.0.1", 8000, 2.0

if os.environ.get("DIRDET_TLS_CERT"):
    context = ssl.create_default_context()
    # The certificate names the address that clients know, not this container's loopback.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection: HTTPConnection = HTTPSConnection(HOST, PORT, timeout=TIMEOUT_S, context=context)
else:
    connection = HTTPConnection(HOST, PORT, timeout=TIMEOUT_S)
connection.request("GET", "/health/ready")
sys.exit(0 if connection.getresponse().status == 200 else 1)
