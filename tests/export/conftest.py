"""Small detectors with random weights that find something, and requests to them."""

from specimen_fixtures import *  # noqa: F403
from specimen_fixtures import one_thread as one_thread
