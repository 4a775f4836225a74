"""Reads the modules and settings of an MMDetection detector."""
