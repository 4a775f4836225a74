"""The detector that comes with the package, for the tests that go from end to end."""

import os
from pathlib import Path

import pytest

from dirdet.bundle.shipped import default_bundle
from dirdet.errors import BundleError


@pytest.fixture(scope="session")
def bundle_folder() -> Path:
    """The shipped bundle, or the one in the folder that DIRDET_TEST_DETECTOR names."""
    named = os.environ.get("DIRDET_TEST_DETECTOR")
    try:
        return Path(named) if named else default_bundle()
    except BundleError as exc:
        pytest.skip(f"{exc}; or set DIRDET_TEST_DETECTOR")
