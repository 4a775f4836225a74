"""Metrics, one log line per request, and traces."""
