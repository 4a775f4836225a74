"""Certificate and key that cannot be used are told by their option before anything starts."""

from pathlib import Path

import pytest
import trustme
from certificates import issue
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from dirdet.errors import TlsError
from dirdet.gateway.access.tls_files import TlsFiles


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> TlsFiles:
    return issue(authority, "localhost", tmp_path)


def refused(files: TlsFiles) -> str:
    with pytest.raises(TlsError) as caught:
        files.check()
    return str(caught.value)


def test_what_fits_passes(files: TlsFiles) -> None:
    files.check()


def test_files_that_are_not_there(files: TlsFiles, tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    assert refused(TlsFiles(none, files.private_key)) == f"--tls-cert: {none} cannot be read: No such file or directory"
    assert refused(TlsFiles(files.certificate, none)) == f"--tls-key: {none} cannot be read: No such file or directory"
    assert refused(TlsFiles(tmp_path, files.private_key)) == f"--tls-cert: {tmp_path} cannot be read: Is a directory"


def test_files_that_are_something_else(files: TlsFiles, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    for content in (b"", b"hello", b"\x00\xff" * 99, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        other.write_bytes(content)
        assert refused(TlsFiles(other, files.private_key)) == f"--tls-cert: {other} is no certificate in PEM"
        assert refused(TlsFiles(files.certificate, other)) == f"--tls-key: {other} is no private key in PEM"
    assert "is no private key" in refused(TlsFiles(files.certificate, files.certificate))
    assert "is no certificate" in refused(TlsFiles(files.private_key, files.private_key))


def test_a_key_of_another_certificate(files: TlsFiles, authority: trustme.CA, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
    said = refused(TlsFiles(files.certificate, other))
    assert said == f"--tls-key: {other} is not the key of the certificate {files.certificate}"


def test_a_key_with_a_passphrase_asks_nobody(files: TlsFiles, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    private_key = load_pem_private_key(files.private_key.read_bytes(), None)
    secret = BestAvailableEncryption(b"secret")
    locked.write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    assert "needs a passphrase" in refused(TlsFiles(files.certificate, locked))


def test_a_self_signed_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    files = TlsFiles(tmp_path / "certificate.pem", tmp_path / "private.pem")
    files.certificate.write_bytes(authority.cert_pem.bytes())
    files.private_key.write_bytes(authority.private_key_pem.bytes())
    files.check()
