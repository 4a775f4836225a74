"""Colours of classes, in drawings and on the page: distinct also for the colour-blind, and light below black text."""

# Each is the farthest from those before it (CIEDE2000, the least of normal sight, protanopia, deuteranopia and
# tritanopia as Machado et al. 2009 simulate them) among colours on which black has a contrast of at least 5.5.
CLASS_COLOURS = (
    "#4eb1eb", "#ff2700", "#ffebb1", "#c47689", "#9dffff", "#ebc400", "#b1b176", "#ff27b1",
    "#7676ff", "#ff9db1", "#89894e", "#62d8c4", "#6289b1", "#009d89", "#b1d876", "#d89d3b",
    "#c4ff76", "#d8c4ff", "#eb6276", "#ffc4b1", "#d8b1d8", "#62b19d", "#ff62d8", "#00ffd8",
)  # fmt: skip


def colour_of(class_id: int) -> str:
    """The colour of a class as #rrggbb; after the last they begin again."""
    return CLASS_COLOURS[class_id % len(CLASS_COLOURS)]
