"""Engines: canvases to candidates and detections."""
