"""Gateways for strangers."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from certificates import issue

from dirdet.access.key_file import append_key
from dirdet.access.keys import Key, digest, new_key

from .gateway import Gateway, serving


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Wants an admin's key, without a rate."""
    folder = tmp_path_factory.mktemp("guarded")
    key = new_key()
    append_key(folder / "keys", Key("operator", digest(key), admin=True))
    with serving(folder, "--keys", str(folder / "keys"), key=key) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("unguarded")) as gateway:
        yield gateway


@pytest.fixture
def crowded_tls(tmp_path: Path) -> Iterator[tuple[Gateway, ssl.SSLContext]]:
    """May open few files, and speaks TLS; with what to ask it."""
    authority = trustme.CA()
    tls = issue(authority, "127.0.0.1", tmp_path)
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ("--tls-cert", str(tls.certificate), "--tls-key", str(tls.private_key))
    with serving(tmp_path, *options, files=200) as gateway:
        yield gateway, context


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Gateway]:
    """May open few files."""
    with serving(tmp_path, files=200) as gateway:
        yield gateway
