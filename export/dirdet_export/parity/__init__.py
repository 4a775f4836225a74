"""Checks that a bundle gives the same detections as its checkpoint."""
