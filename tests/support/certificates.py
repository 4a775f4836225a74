"""Certificates for servers of this machine, from an authority of the test's own."""

from pathlib import Path

import trustme

from dirdet.gateway.access.tls_files import TlsFiles


def issue(authority: trustme.CA, host: str, folder: Path) -> TlsFiles:
    """Files in the folder with a certificate for the host, and its key."""
    issued = authority.issue_cert(host)
    files = TlsFiles(folder / "certificate.pem", folder / "private.pem")
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.private_key.write_bytes(issued.private_key_pem.bytes())
    return files
