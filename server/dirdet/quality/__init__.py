"""Measures how good a localization confidence is, in plain numpy."""

from dirdet.quality.correlation import pearson

__all__ = ["pearson"]
