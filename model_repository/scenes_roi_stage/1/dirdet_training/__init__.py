"""Decoupled IoU Regression: the core in plain torch, and its MMDetection plug-in."""
