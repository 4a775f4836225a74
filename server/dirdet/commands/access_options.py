"""The options of `dirdet serve` that control access."""

import logging
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import click

from dirdet.commands.option_groups import as_one
from dirdet.errors import ParameterError
from dirdet.gateway.access.key_file import KeyFile
from dirdet.gateway.access.network_exposure import is_loopback, refuse_open
from dirdet.gateway.access.settings import Access
from dirdet.gateway.access.tls_files import TlsFiles
from dirdet.gateway.http.middleware import NAME

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AccessFlags:
    """The options as the user typed them."""

    keys: Path | None = None
    no_auth: bool = False
    published_on: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    cors_origins: tuple[str, ...] = ()
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()


access_options = as_one(
    "access",
    AccessFlags,
    click.option(
        "--keys", type=click.Path(path_type=Path), envvar="DIRDET_KEYS", show_envvar=True, metavar="FILE",
        help="Require a key of this file, which `dirdet key` writes; the server reads it again when it changes.",
    ),
    click.option(
        "--no-auth", is_flag=True, envvar="DIRDET_NO_AUTH", show_envvar=True,
        help="Serve without keys, even if other machines can reach the server.",
    ),
    click.option(
        "--published-on", envvar="DIRDET_PUBLISHED_ON", show_envvar=True, metavar="ADDRESS",
        help="The host's address that forwards to this container; it decides, not --host, whether keys are needed.",
    ),
    click.option(
        "--allowed-host", "allowed_hosts", multiple=True, envvar="DIRDET_ALLOWED_HOST", show_envvar=True,
        metavar="NAME", help="Without keys, also accept requests to this host (vision.example; * is any); repeatable.",
    ),
    click.option(
        "--tls-cert", type=click.Path(path_type=Path), envvar="DIRDET_TLS_CERT", show_envvar=True, metavar="FILE",
        help="Serve HTTPS: certificate and its chain, PEM.",
    ),
    click.option(
        "--tls-key", type=click.Path(path_type=Path), envvar="DIRDET_TLS_KEY", show_envvar=True, metavar="FILE",
        help="Private key of the certificate, PEM.",
    ),
    click.option(
        "--cors-origin", "cors_origins", multiple=True, envvar="DIRDET_CORS_ORIGIN", show_envvar=True, metavar="ORIGIN",
        help="Allow web pages of this origin, such as https://app.example, to read answers; repeatable.",
    ),
    click.option(
        "--root-path", default="", envvar="DIRDET_ROOT_PATH", show_envvar=True, metavar="PATH",
        help="Path prefix that a proxy in front removes.",
    ),
    click.option(
        "--trusted-proxy", "trusted_proxies", multiple=True, envvar="DIRDET_TRUSTED_PROXY", show_envvar=True,
        metavar="ADDRESS", help="Proxy (address or network) whose X-Forwarded-For and -Proto are trusted; repeatable.",
    ),
)  # fmt: skip


def read_access(flags: AccessFlags) -> Access:
    """Checks the options and reads the files that they name.

    Raises:
        ParameterError: an option is invalid, alone or together with another.
        KeyFileError: the file of keys cannot be read.
        TlsError: the certificate or the private key cannot be used.
    """
    keys, cert, private_key = flags.keys, flags.tls_cert, flags.tls_key
    if flags.no_auth and keys is not None:
        raise ParameterError("--no-auth", f"serves without keys, but --keys {keys} requires them; expected one of them")
    if (cert is None) is not (private_key is None):
        given, missing = ("--tls-cert", "--tls-key") if private_key is None else ("--tls-key", "--tls-cert")
        raise ParameterError(given, f"has no effect alone; expected {missing} too")
    if "*" in flags.cors_origins and keys is None:
        raise ParameterError("--cors-origin", "'*' lets every web page send requests; expected --keys too")
    if flags.published_on:
        is_loopback(flags.published_on)  # Raises if it is not an address.
    tls = None if cert is None or private_key is None else TlsFiles(cert, private_key)
    if tls is not None:
        tls.check()
    return Access(
        keys=None if keys is None else KeyFile(keys),
        cors_origins=tuple(_origin(each) for each in flags.cors_origins),
        tls=tls,
        root_path=_root_path(flags.root_path),
        trusted_proxies=tuple(_network(each) for each in flags.trusted_proxies),
        published_on=flags.published_on,
        no_auth=flags.no_auth,
        hosts=_hosts(flags.allowed_hosts, open_to_all=keys is not None or flags.no_auth),
    )


def refuse_unguarded(access: Access, *, bound: str) -> None:
    """Refuses to listen on an address that other machines can reach without --keys or --no-auth.

    Raises:
        ParameterError: the message names the options to choose from.
    """
    if access.keys is not None:
        log.info("keys: %d, from %s", len(access.keys.keys), access.keys.path)
    elif not access.no_auth:
        refuse_open(bound, published_on=access.published_on)
    elif not is_loopback(access.published_on or bound):
        log.warning("no keys: every client that reaches %s has access", access.published_on or bound)


def _hosts(names: tuple[str, ...], *, open_to_all: bool) -> tuple[str, ...] | None:
    """Accepted host names; None accepts any."""
    if open_to_all:
        if names:
            raise ParameterError("--allowed-host", "has no effect with --keys or --no-auth; leave it out")
        return None
    known = tuple(name.lower().removesuffix(".") for name in names)
    for name, given in zip(known, names, strict=True):
        if name != "*" and not NAME.fullmatch(name):
            raise ParameterError("--allowed-host", f"expected a name such as vision.example, or *; found {given!r}")
    return None if "*" in known else known


def _origin(text: str) -> str:
    """An origin as browsers send it: scheme, host, and the port unless it is the scheme's default."""
    if text == "*":
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ParameterError("--cors-origin", f"expected an origin such as https://app.example; found {text!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if path and (not path.startswith("/") or set(path) & set("?#% ")):
        raise ParameterError("--root-path", f"expected a path such as /vision; found {text!r}")
    return path


def _network(text: str) -> str:
    try:
        return str(ip_network(text)) if "/" in text else str(ip_network(text).network_address)
    except ValueError as exc:
        raise ParameterError(
            "--trusted-proxy", f"expected an IP address or network such as 10.0.0.0/24; found {text!r}"
        ) from exc
