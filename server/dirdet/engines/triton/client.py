"""The tritonclient library, and the key that a restricted Triton requires with every call."""

import importlib
import re
from pathlib import Path
from typing import Any

from dirdet.errors import MissingExtraError, ParameterError, install_hint
from dirdet.files import read_secret

KEY_OPTION = "--triton-key-file"
KEY_VARIABLE = "DIRDET_TRITON_KEY_FILE"
# tritonserver --grpc-restricted-protocol=...:dirdet=KEY expects this header.
KEY_HEADER = "triton-grpc-protocol-dirdet"
# Characters that tritonserver's option accepts, and a length that cannot be guessed.
KEY = re.compile(r"[A-Za-z0-9_-]{16,256}")


class _KeyPlugin:
    """Adds the key to the headers of every call (`tritonclient.grpc.InferenceServerClientPlugin`)."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: Any) -> None:  # noqa: ANN401 - tritonclient has no types
        request.headers[KEY_HEADER] = self._key


def import_client() -> Any:  # noqa: ANN401 - as above
    """The module tritonclient.grpc with its asyncio client.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        importlib.import_module("tritonclient.grpc.aio")
        return importlib.import_module("tritonclient.grpc")
    except (ImportError, RuntimeError) as exc:  # tritonclient without gRPC raises a RuntimeError
        raise MissingExtraError(
            f"--triton needs tritonclient with gRPC, which is not installed: {install_hint('triton')}"
        ) from exc


def with_key(client: Any, key: str | None) -> Any:  # noqa: ANN401 - as above
    """The same client, which then sends the key, if there is one."""
    if key is not None:
        client.register_plugin(_KeyPlugin(key))
    return client


def read_triton_key(path: Path | None) -> str | None:
    """Reads the key from a file; None without a file.

    Raises:
        ParameterError: the file cannot be read, or its text is not a key.
    """
    if path is None:
        return None
    key = read_secret(path, option=KEY_OPTION)
    if not KEY.fullmatch(key):
        raise ParameterError(KEY_OPTION, f"expected 16 to 256 letters, digits, - and _ in {path}, as Triton has them")
    return key
