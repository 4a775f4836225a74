"""Who is let in, in one object: what the app and uvicorn are told."""

from dataclasses import dataclass
from typing import Any

from dirdet.access.key_file import KeyFile
from dirdet.access.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, and over what.

    Attributes:
        keys: opens the door; None: it stands open.
        cors_origins: whose pages a browser lets read the answers; `*` is every one's.
        tls: None: HTTP without encryption.
        root_path: the prefix that a proxy takes away before it asks here, such as /vision.
        trusted_proxies: addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
        published_on: the address that leads here, if it is not the one that is listened on.
        no_auth: everybody may come in, wherever from.
        hosts: names that are answered to, beside addresses and names that no public DNS has; None: any.
    """

    keys: KeyFile | None = None
    cors_origins: tuple[str, ...] = ()
    tls: TlsFiles | None = None
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    published_on: str | None = None
    no_auth: bool = False
    hosts: tuple[str, ...] | None = None

    @property
    def scheme(self) -> str:
        """Of the server's address."""
        return "http" if self.tls is None else "https"

    def uvicorn_settings(self) -> dict[str, Any]:
        """Arguments of `uvicorn.Config`."""
        return {
            "root_path": self.root_path,
            "proxy_headers": bool(self.trusted_proxies),
            "forwarded_allow_ips": list(self.trusted_proxies),
            "ssl_certfile": self.tls and str(self.tls.certificate),
            "ssl_keyfile": self.tls and str(self.tls.private_key),
            "server_header": False,
        }
