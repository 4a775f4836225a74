"""The systemd unit of docs/deploy.md, and the workflows beside it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dirdet.commands.serve import command

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def unit():
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```ini\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_unit_s_options_are_those_of_serve(unit):
    [line] = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    named = set(re.findall(r"(?<=\s)--[a-z-]+", line))
    assert named == {"--host", "--port", "--log-format", "--keys", "--tls-cert", "--tls-key"}
    assert named <= {option for parameter in command.params for option in parameter.opts}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(unit, tmp_path):
    """Its program is another one, since systemd looks whether it is there."""
    path = tmp_path / "dirdet.service"
    path.write_text(unit.replace("/opt/dirdet/bin/dirdet", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def targets():
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflows_call_targets_that_exist_and_actions_by_their_commits(path):
    """zizmor, in `make lint`, judges the rest."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    called = {target for job in jobs for target in job.get("strategy", {}).get("matrix", {}).get("target", [])}
    for job in jobs:
        for step in job["steps"]:
            called |= set(re.findall(r"^(?:.* )?make ([a-z-]+)", step.get("run", "")))
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", "a@" + 40 * "0"))
    assert called <= targets()
