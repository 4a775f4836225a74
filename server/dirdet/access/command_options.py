"""The options of `dirdet serve` that say who is let in."""

import logging
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypedDict, TypeVar
from urllib.parse import urlsplit

import click

from dirdet.access.exposure import is_loopback, refuse_open
from dirdet.access.hosts import NAME
from dirdet.access.key_file import KeyFile
from dirdet.access.settings import Access
from dirdet.access.tls import TlsFiles
from dirdet.errors import ParameterError

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}
Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--keys", type=click.Path(path_type=Path), envvar="DIRDET_KEYS", show_envvar=True, metavar="FILE",
        help="Let in only who has a key of this file, which `dirdet key` writes; read again when it changes.",
    ),
    click.option(
        "--no-auth", is_flag=True, envvar="DIRDET_NO_AUTH", show_envvar=True,
        help="Let everybody in, also where other machines reach the server.",
    ),
    click.option(
        "--published-on", envvar="DIRDET_PUBLISHED_ON", show_envvar=True, metavar="ADDRESS",
        help="The address that leads to a container's; it decides, not --host, whether keys are needed.",
    ),
    click.option(
        "--allowed-host", "allowed_hosts", multiple=True, envvar="DIRDET_ALLOWED_HOST", show_envvar=True,
        metavar="NAME", help="Without keys, answer to this host name too (vision.example; * is any); repeatable.",
    ),
    click.option(
        "--tls-cert", type=click.Path(path_type=Path), envvar="DIRDET_TLS_CERT", show_envvar=True, metavar="FILE",
        help="Serve HTTPS: certificate and its chain, PEM.",
    ),
    click.option(
        "--tls-key", type=click.Path(path_type=Path), envvar="DIRDET_TLS_KEY", show_envvar=True, metavar="FILE",
        help="Its private key, PEM.",
    ),
    click.option(
        "--cors-origin", "cors_origins", multiple=True, envvar="DIRDET_CORS_ORIGIN", show_envvar=True, metavar="ORIGIN",
        help="Let web pages of this origin, such as https://app.example, read the answers; repeatable.",
    ),
    click.option(
        "--root-path", default="", envvar="DIRDET_ROOT_PATH", show_envvar=True, metavar="PATH",
        help="Prefix of the paths that a proxy takes away.",
    ),
    click.option(
        "--trusted-proxy", "trusted_proxies", multiple=True, envvar="DIRDET_TRUSTED_PROXY", show_envvar=True,
        metavar="ADDRESS", help="Proxy (address or network) whose X-Forwarded-For and -Proto are believed; repeatable.",
    ),
)  # fmt: skip


class AccessValues(TypedDict):
    """The options' values, as click hands them over."""

    keys: Path | None
    no_auth: bool
    published_on: str | None
    allowed_hosts: tuple[str, ...]
    tls_cert: Path | None
    tls_key: Path | None
    cors_origins: tuple[str, ...]
    root_path: str
    trusted_proxies: tuple[str, ...]


def access_options(command: Command) -> Command:
    """Gives a command the options; it gets their values by name, as `AccessValues`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def read_access(values: AccessValues) -> Access:
    """What the options say, files read.

    Raises:
        ParameterError: an option that cannot be, alone or beside another.
        KeyFileError: the file of keys cannot be read.
        TlsError: certificate or key cannot be used.
    """
    keys, cert, private_key = values["keys"], values["tls_cert"], values["tls_key"]
    if values["no_auth"] and keys is not None:
        raise ParameterError("--no-auth", f"lets everybody in, and --keys {keys} only some; expected one of them")
    if (cert is None) is not (private_key is None):
        given, missing = ("--tls-cert", "--tls-key") if private_key is None else ("--tls-key", "--tls-cert")
        raise ParameterError(given, f"is of no use alone; expected {missing} too")
    if "*" in values["cors_origins"] and keys is None:
        raise ParameterError(
            "--cors-origin", "'*' lets every web page ask, and without keys as anybody; expected --keys"
        )
    if values["published_on"]:
        is_loopback(values["published_on"])  # that it is an address
    tls = None if cert is None or private_key is None else TlsFiles(cert, private_key)
    if tls is not None:
        tls.check()
    return Access(
        keys=None if keys is None else KeyFile(keys),
        cors_origins=tuple(_origin(each) for each in values["cors_origins"]),
        tls=tls,
        root_path=_root_path(values["root_path"]),
        trusted_proxies=tuple(_network(each) for each in values["trusted_proxies"]),
        published_on=values["published_on"],
        no_auth=values["no_auth"],
        hosts=_hosts(values["allowed_hosts"], open_to_all=keys is not None or values["no_auth"]),
    )


def refuse_unguarded(access: Access, *, bound: str) -> None:
    """Refuses to listen where others come by, unless there are keys or it was said that none are wanted.

    Raises:
        ParameterError: says what to do.
    """
    if access.keys is not None:
        log.info("keys: %d, from %s", len(access.keys.keys), access.keys.path)
    elif not access.no_auth:
        refuse_open(bound, published_on=access.published_on)
    elif not is_loopback(access.published_on or bound):
        log.warning("no keys: whoever reaches %s is let in", access.published_on or bound)


def _hosts(names: tuple[str, ...], *, open_to_all: bool) -> tuple[str, ...] | None:
    """Names to answer to; None: any."""
    if open_to_all:
        if names:
            raise ParameterError("--allowed-host", "with --keys or --no-auth every host is answered to; leave it out")
        return None
    known = tuple(name.lower().removesuffix(".") for name in names)
    for name, given in zip(known, names, strict=True):
        if name != "*" and not NAME.fullmatch(name):
            raise ParameterError("--allowed-host", f"expected a name such as vision.example, or *; found {given!r}")
    return None if "*" in known else known


def _origin(text: str) -> str:
    """An origin as browsers send it: scheme, host, and the port unless it is the scheme's own."""
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
