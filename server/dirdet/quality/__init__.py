"""How good a localization confidence is: plain numpy in, figures out."""

from dirdet.quality.correlation import pearson

__all__ = ["pearson"]
