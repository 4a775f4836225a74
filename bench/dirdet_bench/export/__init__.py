"""Measurements of exported detectors: the whole, its parts, and the machine they run on."""
