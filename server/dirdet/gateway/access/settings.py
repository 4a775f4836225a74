"""The settings of access in one object, for the app and for uvicorn."""

from dataclasses import dataclass
from typing import Any

from dirdet.gateway.access.key_file import KeyFile
from dirdet.gateway.access.tls_files import TlsFiles


@dataclass(frozen=True, slots=True)
class Access:
    """Which clients may connect, and how.

    Attributes:
        keys: of the clients; None: no key is needed.
        cors_origins: origins whose pages may read the answers; `*` is all.
        tls: None: HTTP without encryption.
        root_path: the prefix that a proxy strips from paths, such as /vision.
        trusted_proxies: addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
        published_on: the address under which clients reach the server, if it is not the one it listens on.
        no_auth: no key is needed, from anywhere.
        hosts: further allowed host names, beside addresses and names that no public DNS has; None: any host.
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
