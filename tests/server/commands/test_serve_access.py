"""`dirdet serve` and who is let in: what is refused at the start, and what is said of it."""

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import trustme
from certificates import issue
from waiting import PATIENCE_S, until

from dirdet.commands.access_options import AccessFlags, read_access, refuse_unguarded
from dirdet.errors import ParameterError
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key
from dirdet.gateway.access.network_exposure import is_loopback
from dirdet.gateway.access.settings import Access
from dirdet.gateway.http.middleware import is_known

START = [sys.executable, "-m", "dirdet", "serve"]
NOTHING = AccessFlags()


def environment(**settings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DIRDET_")} | settings


def refused(*arguments: str, **settings: str) -> str:
    """What a server that does not start says; in at most a few seconds, no network being loaded."""
    done = subprocess.run(
        [*START, "--port", "0", *arguments], env=environment(**settings), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def ready(address: str) -> bool:
    return httpx.get(f"{address}/health/ready", verify=False, timeout=PATIENCE_S).status_code != 503


@contextmanager
def serving(*arguments: str, **settings: str) -> Generator[tuple[str, list[str]]]:
    """The address of a server that is ready, and its log, which is whole at the end."""
    log: list[str] = []
    with subprocess.Popen(
        [*START, "--port", "0", *arguments], env=environment(**settings), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                log.append(line)
                if found := re.search(r"listening on (https?)://\S+:(\d+)", line):
                    address = f"{found[1]}://127.0.0.1:{found[2]}"
                    until(partial(ready, address))
                    yield address, log
                    break
        finally:
            process.send_signal(signal.SIGTERM)
            log.extend(process.stderr)
    assert process.returncode == 0, log


def test_a_bare_container_is_told_what_is_missing() -> None:
    said = refused("--host", "0.0.0.0")
    assert "0.0.0.0 can be reached from other machines, and the server has no keys" in said
    for way in ("`dirdet key NAME --append FILE`", "--keys FILE", "DIRDET_PUBLISHED_ON", "--no-auth"):
        assert way in said


@pytest.mark.parametrize(
    ("bound", "published_on", "open_"),
    [
        ("127.0.0.1", None, True),
        ("127.9.9.9", None, True),
        ("::1", None, True),
        ("0.0.0.0", None, False),
        ("::", None, False),
        ("192.0.2.1", None, False),
        ("::ffff:192.0.2.1", None, False),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "[::1]", True),
        ("0.0.0.0", "localhost", True),
        ("0.0.0.0", "0.0.0.0", False),
        ("0.0.0.0", "192.0.2.1", False),
        ("127.0.0.1", "192.0.2.1", False),
    ],
)
def test_who_needs_keys(bound: str, published_on: str | None, open_: bool) -> None:
    access = Access(published_on=published_on)
    if open_:
        refuse_unguarded(access, bound=bound)
    else:
        with pytest.raises(ParameterError, match="--no-auth") as caught:
            refuse_unguarded(access, bound=bound)
        assert caught.value.parameter == ("--published-on" if published_on else "--host")
    refuse_unguarded(Access(published_on=published_on, no_auth=True), bound=bound)


def test_loopback_written_as_ipv6() -> None:
    assert is_loopback("::ffff:127.0.0.1")
    with pytest.raises(ParameterError, match="'no such host' is not an address"):
        is_loopback("no such host")


def test_a_container_that_is_published_on_this_machine_needs_none() -> None:
    with serving("--host", "0.0.0.0", DIRDET_PUBLISHED_ON="127.0.0.1", DIRDET_KEYS="") as (address, _):
        assert httpx.get(f"{address}/detector", timeout=PATIENCE_S).status_code == 200


def test_whoever_wants_no_keys_is_told_what_that_means() -> None:
    with serving("--host", "0.0.0.0", "--no-auth") as (address, log):
        assert httpx.get(f"{address}/detector", timeout=PATIENCE_S).status_code == 200
    assert any("WARNING no keys: every client that reaches 0.0.0.0 has access" in line for line in log)


def test_a_foreign_page_whose_name_leads_here_reads_nothing() -> None:
    with serving("--allowed-host", "Vision.example.") as (address, _):

        def asked(host: str, path: str = "/detector") -> httpx.Response:
            return httpx.get(f"{address}{path}", headers={"Host": host}, timeout=PATIENCE_S)

        for path in ("/detector", "/", "/health/ready", "/metrics", "/nowhere"):
            answer = asked("evil.example:8000", path)
            assert (answer.status_code, answer.json()["type"]) == (421, "urn:dirdet:problem:misdirected")
            assert "'evil.example:8000'" in answer.json()["detail"]
        for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "gateway", "vision.example:443"):
            assert asked(host).status_code == 200, host
        document = asked("localhost", "/openapi.json").json()
        assert all("421" in each["responses"] for path in document["paths"].values() for each in path.values())


@pytest.mark.parametrize(
    "host", ["x", "LocalHost", "app.localhost", "pi.local:80", "db.internal", "10.0.0.7", "[::]:1"]
)
def test_hosts_that_no_foreign_page_can_have(host: str) -> None:
    assert is_known(host, ())


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example.:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "localhost:80.evil.example",
        "[::1].evil.example",
        "evillocal.com",
        "a:b:c.d",
    ],
)
def test_hosts_that_one_may_have(host: str) -> None:
    assert not is_known(host, ("vision.example",))


def test_with_keys_every_host_is_answered_to(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    assert read_access(NOTHING).hosts == ()
    assert read_access(replace(NOTHING, allowed_hosts=("a.example", "*"))).hosts is None
    for more in ({"no_auth": True}, {"keys": tmp_path / "keys"}):
        assert read_access(replace(NOTHING, **more)).hosts is None  # pyright: ignore[reportArgumentType]
        with pytest.raises(ParameterError, match="leave it out"):
            read_access(replace(NOTHING, **more, allowed_hosts=("a.example",)))  # pyright: ignore[reportArgumentType]


def test_https_with_keys_and_no_key_in_the_log(tmp_path: Path) -> None:
    secret, path = new_key(), tmp_path / "keys"
    append_key(path, Key("phone", digest(secret)))
    authority = trustme.CA()
    tls = issue(authority, "127.0.0.1", tmp_path)
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.private_key)]
    options += ["--cors-origin", "https://app.example"]
    with serving("--host", "0.0.0.0", *options, DIRDET_KEYS=str(path)) as (address, log):
        assert address.startswith("https://")
        with httpx.Client(base_url=address, verify=trusted, timeout=PATIENCE_S) as client:
            assert client.get("/detector").status_code == 401
            assert client.get("/detector", headers={"X-API-Key": secret}).status_code == 200
            assert client.get("/health/live", params={"key": secret}).status_code == 200
            assert client.get(f"/{secret}", headers={"X-API-Key": secret}).status_code == 404
            origin = {"Origin": "https://app.example"}
            assert client.get("/detector", headers=origin).headers["access-control-allow-origin"] == origin["Origin"]
    text = "".join(log)
    assert "keys: 1, from " in text
    assert "GET /detector 200 " in text
    assert secret not in text
    assert secret[-20:] not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--keys", "/nowhere/keys"], "dirdet: /nowhere/keys: there is no such file; `dirdet key NAME --append"),
        (["--keys", "/nowhere/keys", "--no-auth"], "'--no-auth': serves without keys"),
        (["--tls-cert", "/nowhere/a.pem"], "'--tls-cert': has no effect alone; expected --tls-key too"),
        (["--tls-cert", "/nowhere/a", "--tls-key", "/nowhere/b"], "dirdet: --tls-cert: /nowhere/a cannot be read"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(arguments: list[str], words: str) -> None:
    assert words in refused(*arguments)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://app.example", "https://app.example"),
        ("https://App.Example:443/", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origins_become_what_browsers_send(given: str, meant: str) -> None:
    assert read_access(replace(NOTHING, cors_origins=(given,))).cors_origins == (meant,)


@pytest.mark.parametrize(
    "origin",
    ["app.example", "https://", "ftp://app.example", "https://app.example/page", "https://a:b", "null", "*", ""],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ParameterError, match="--cors-origin"):
        read_access(replace(NOTHING, cors_origins=(origin,)))


def test_every_origin_with_keys(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    assert read_access(replace(NOTHING, keys=tmp_path / "keys", cors_origins=("*",))).cors_origins == ("*",)


def test_prefixes_and_proxies() -> None:
    access = read_access(replace(NOTHING, root_path="/vision/", trusted_proxies=("10.0.0.1", "10.1.0.0/16")))
    assert (access.root_path, access.trusted_proxies) == ("/vision", ("10.0.0.1", "10.1.0.0/16"))
    assert read_access(replace(NOTHING, root_path="/")).root_path == ""
    for wrong in ("vision", "/a b", "/a?b"):
        with pytest.raises(ParameterError, match="--root-path"):
            read_access(replace(NOTHING, root_path=wrong))
    for wrong in ("*", "proxy", "10.0.0.1/8", ""):
        with pytest.raises(ParameterError, match="--trusted-proxy"):
            read_access(replace(NOTHING, trusted_proxies=(wrong,)))
