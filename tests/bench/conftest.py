"""What the measurements are tried on: the shipped detector, specimens and tiny trainings."""

from shipped_fixtures import *  # noqa: F403
from specimen_fixtures import *  # noqa: F403
from specimen_fixtures import one_thread as one_thread
from tiny_training import *  # noqa: F403
from tiny_training import no_global_runner as no_global_runner
