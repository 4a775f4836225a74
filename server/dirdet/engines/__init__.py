"""Engines: what turns canvases into detections."""
