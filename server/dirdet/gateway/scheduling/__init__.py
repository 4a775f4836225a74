"""Joining what waits for an engine: a queue that decides, and the threads that act on it."""
