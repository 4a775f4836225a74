"""Measurements of dirdet: training, export and serving."""
