"""Gateways for strangers."""

from collections.abc import Iterator

import pytest

from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key

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
