"""Packages, changelog and citation name one version, and the changelog has the form that it names."""

import re
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

import yaml
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
# Keep a Changelog 1.1.0.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def released() -> list[tuple[Version, date]]:
    found = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", CHANGELOG, re.MULTILINE)
    return [(Version(version), date.fromisoformat(day)) for version, day in found]


def test_the_packages_have_the_newest_version_of_the_changelog():
    for name in ("pyproject.toml", "bench/pyproject.toml"):
        project = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["project"]
        assert Version(project["version"]) == released()[0][0], name


def test_the_citation_has_the_version_and_its_date():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (Version(citation["version"]), citation["date-released"]) == released()[0]


def test_the_changelog_has_the_newest_first_and_the_kinds_of_its_format():
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert len(headings) == len(released()) + 1, "a heading has no version or no date"
    assert all(newer > older for newer, older in pairwise(released()))
    for part in CHANGELOG.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(set(kinds)) == len(kinds), "a kind has two headings in one version"
        assert part.startswith("[Unreleased]") or "\n- " in part
