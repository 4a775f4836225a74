"""The detector that comes with the package, for the tests that go from end to end."""

from shipped_fixtures import *  # noqa: F403
