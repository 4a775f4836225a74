"""The options that say which detections are wanted, on the command line as `dirdet.options.DetectOptions` has them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def detection_options(command: F) -> F:
    """Adds the options."""
    for option in reversed(
        (
            click.option("--score-threshold", type=float, metavar="0..1", help="Least classification score."),
            click.option(
                "--nms-iou-threshold",
                type=float,
                metavar="0..1",
                help="Of two boxes of a class that overlap by more, one goes.",
            ),
            click.option(
                "--min-iou", type=float, metavar="0..1", help="Least iou, the predicted localization confidence."
            ),
            click.option(
                "--iou-weight",
                type=float,
                metavar="0..1",
                help="w in confidence = score^(1-w) * iou^w; 0 is the plain detector.",
            ),
            click.option("--max-detections", type=int, help="At most so many per picture, the most confident."),
            click.option(
                "--classes", multiple=True, help="Only these: names or class ids, comma-separated or repeated."
            ),
        )
    ):
        command = option(command)
    return command
