"""What listing a source left out, counted."""

from dataclasses import dataclass


@dataclass
class Tally:
    """Counts of a listing.

    Attributes:
        passed_over: files whose names end as no picture's.
        repeated: names, or symbolic links to pictures, that were there already.
    """

    passed_over: int = 0
    repeated: int = 0
