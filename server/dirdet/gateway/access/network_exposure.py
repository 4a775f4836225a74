"""Whether other machines can reach the server, which then needs keys."""

import socket
from ipaddress import IPv6Address, ip_address

from dirdet.errors import ParameterError


def is_loopback(address: str) -> bool:
    """Whether an IP address, or a name that resolves to one, is a loopback address.

    Raises:
        ParameterError: it is neither.
    """
    try:
        found = ip_address(address.strip("[]"))
    except ValueError:
        try:
            infos = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise ParameterError("--published-on", f"{address!r} is not an address") from exc
        return all(is_loopback(str(info[4][0]).partition("%")[0]) for info in infos)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def refuse_open(bound: str, *, published_on: str | None) -> None:
    """Refuses to serve without keys where other machines can connect.

    Args:
        bound: the IP address of the listening socket.
        published_on: the address under which it can be reached, where that differs, as for a container.

    Raises:
        ParameterError: other machines can reach it; says what to do.
    """
    deciding = published_on or bound
    if is_loopback(deciding):
        return
    option = "--published-on" if published_on else "--host"
    message = (
        f"{deciding} can be reached from other machines, and the server has no keys. Make one with "
        "`dirdet key NAME --append FILE` and serve with --keys FILE (DIRDET_KEYS)"
    )
    if not published_on:
        message += (
            "; or, in a container that is published on this machine alone, say so with --published-on 127.0.0.1 "
            "(DIRDET_PUBLISHED_ON)"
        )
    raise ParameterError(option, f"{message}; or serve everyone with --no-auth (DIRDET_NO_AUTH=1).")
