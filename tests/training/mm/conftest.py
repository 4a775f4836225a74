"""A tiny data set, drawn here, and a tiny detector to train on it."""

from tiny_training import *  # noqa: F403
from tiny_training import no_global_runner as no_global_runner
