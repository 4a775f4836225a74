"""The server's certificate and key, checked before it listens."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from dirdet.errors import TlsError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A certificate, with the chain behind it, and its private key: PEM."""

    certificate: Path
    private_key: Path

    def check(self) -> None:
        """Loads both, as the server will.

        Raises:
            TlsError: a file cannot be read, has another format or needs a passphrase, or the two do not match.
        """
        for option, path in (("--tls-cert", self.certificate), ("--tls-key", self.private_key)):
            try:
                path.open("rb").close()
            except OSError as exc:
                raise TlsError(f"{option}: {path} cannot be read: {exc.strerror or exc}") from exc
        self._load_certificate()
        # Without a callback OpenSSL would ask the terminal for a passphrase.
        asked = False

        def passphrase() -> str:
            nonlocal asked
            asked = True
            return ""

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.private_key, passphrase)
        except (ssl.SSLError, OSError) as exc:
            if asked:
                raise TlsError(
                    f"--tls-key: {self.private_key} needs a passphrase; expected a key without one, "
                    f"such as `openssl pkey -in {self.private_key} -out plain.pem` writes"
                ) from exc
            if isinstance(exc, ssl.SSLError) and exc.reason == "KEY_VALUES_MISMATCH":
                raise TlsError(
                    f"--tls-key: {self.private_key} is not the key of the certificate {self.certificate}"
                ) from exc
            raise TlsError(f"--tls-key: {self.private_key} is no private key in PEM") from exc

    def _load_certificate(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self.certificate)
        except ssl.SSLError as exc:
            raise TlsError(f"--tls-cert: {self.certificate} is no certificate in PEM") from exc
