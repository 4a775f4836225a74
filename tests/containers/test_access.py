"""Who may ask a gateway in a container: others only with a key."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from waiting import PATIENCE_S

from .engine import ROOT, Engine
from .stack import GATEWAY_IMAGE, Stack, running

pytest.importorskip("dirdet.gateway.access", reason="this dirdet knows no keys")
pytestmark = pytest.mark.usefixtures("images")
PHOTO = ROOT / "docs" / "example.jpg"


def test_it_is_not_opened_to_others_without_keys(engine: Engine) -> None:
    """The example in the Dockerfile, published on every address."""
    flags = ["--rm", "--network=none", "--read-only", "--env=DIRDET_PUBLISHED_ON=0.0.0.0"]
    tried = engine.run("run", *flags, GATEWAY_IMAGE, check=False)
    assert tried.returncode != 0
    assert "--keys" in tried.stderr
    assert "Traceback" not in tried.stderr


def test_it_asks_for_the_keys_of_the_mounted_folder(
    engine: Engine, make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    flags = ["--rm", "--network=none", f"--user={os.getuid()}", f"--volume={tmp_path}:/secrets"]
    made = engine.run("run", *flags, GATEWAY_IMAGE, "key", "phone", "--append", "/secrets/keys")
    [key] = [word for word in made.stdout.split() if word.startswith("dirdet_")]
    tmp_path.chmod(0o755)
    (tmp_path / "keys").chmod(0o644)
    stack = make_stack("keys", DIRDET_SECRETS=str(tmp_path), DIRDET_KEYS="/secrets/keys")
    with running(stack):
        files = {"image": PHOTO.read_bytes()}
        assert httpx.post(f"{stack.url}/detect", files=files, timeout=PATIENCE_S).status_code == 401
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.post(f"{stack.url}/detect", files=files, headers=headers, timeout=PATIENCE_S)
        assert answer.status_code == 200
        assert answer.json()["images"][0]["detections"]
