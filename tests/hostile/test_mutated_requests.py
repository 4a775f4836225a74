"""Good requests with a few bytes changed, heads and bodies alike: answered or refused, never the server's error.

DIRDET_FUZZ_REQUESTS says how many; `make test-fuzz` sends many more than the tests do.
"""

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.client import HTTPException, HTTPResponse

from picture_mutations import MUTATIONS, SEEDS

from .gateway import Gateway

REQUESTS = int(os.environ.get("DIRDET_FUZZ_REQUESTS", "400"))
SHOW_EVERY = 2000
AT_ONCE = 8
# A request that lost its end is not answered before the server's own time for it.
PATIENCE_S = 0.3
# Good requests before memory is measured: from then on the engine has what its largest batch takes.
WARM_UP = 300
MOST_GROWTH_MIB = 80
SOON = b"X-Request-Timeout-Ms: 2000\r\n"


def forms(picture: bytes) -> bytes:
    part = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return (part + picture + b"\r\n") * 2 + b"--cut--\r\n"


def good_requests(host: bytes, lines: bytes = b"") -> list[bytes]:
    """One of every way to ask."""
    _, picture = next(file for file in SEEDS.values() if file[0] == "PNG")
    form = forms(picture)
    pieces = (picture[start : start + 100] for start in range(0, len(picture), 100))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return [
        b"POST /detect?score_threshold=0.1&classes=bird,fish&candidates=true HTTP/1.1\r\n"
        + host + lines + b"Content-Type: multipart/form-data; boundary=cut\r\n"
        + b"Content-Length: %d\r\n\r\n" % len(form) + form,
        b"POST /detectors/scenes/detect HTTP/1.1\r\n"
        + host + lines + b"Content-Type: image/png\r\nAccept: image/png;q=0.5, */*\r\n"
        + b"Content-Length: %d\r\n\r\n" % len(picture) + picture,
        b"POST /detect HTTP/1.1\r\n"
        + host + lines + b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        b"GET /detectors HTTP/1.1\r\n" + host + b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n\r\n",
    ]  # fmt: skip


def mutated(number: int, requests: list[bytes]) -> bytes:
    """The same request for the same number, its head changed more often than its body."""
    dice = random.Random(number)
    request = bytearray(dice.choice(requests))
    for _ in range(dice.choice((1, 1, 2, 3))):
        head = request.find(b"\r\n\r\n") + 200
        if dice.random() < 0.7 and head > 200:
            request[:head] = dice.choice(MUTATIONS)(dice, request[:head])
        elif request:
            request = dice.choice(MUTATIONS)(dice, request)
    return bytes(request)


def status_of(gateway: Gateway, request: bytes) -> int | None:
    """Of the first answer; None if there is none soon."""
    with gateway.connect() as connection:
        connection.settimeout(PATIENCE_S)
        with suppress(OSError):  # refused before all was sent
            connection.sendall(request)
        with suppress(OSError, HTTPException), HTTPResponse(connection) as response:
            response.begin()
            return response.status
    return None


def test_the_requests_are_good_before_they_are_changed(guarded: Gateway) -> None:
    assert [guarded.ask(request) for request in good_requests(guarded.host)] == [200] * 4


def test_mutated_requests_are_answered_or_refused(guarded: Gateway) -> None:
    requests = good_requests(guarded.host, SOON)
    statuses: Counter[int | None] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as senders:
        list(senders.map(guarded.ask, requests * (WARM_UP // len(requests))))
        log_before = len(guarded.log())
        mib_halfway = guarded.resident_mib()
        answers = senders.map(partial(status_of, guarded), (mutated(number, requests) for number in range(REQUESTS)))
        for number, status in enumerate(answers):
            assert status is None or status < 500 or status in (503, 504), number
            statuses[status] += 1
            if number == REQUESTS // 2:
                mib_halfway = guarded.resident_mib()  # by then as much is under way at once as ever will be
            if number % SHOW_EVERY == 0:
                print(f"{number}: {guarded.resident_mib()} MiB, {dict(statuses)}")
    assert statuses[200] > 0
    assert statuses[400] > 0
    assert guarded.is_ready()
    said = guarded.log()[log_before:]
    assert "Traceback" not in said
    assert " ERROR " not in said
    assert guarded.resident_mib() - mib_halfway < MOST_GROWTH_MIB
