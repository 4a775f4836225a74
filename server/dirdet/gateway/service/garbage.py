"""Python's collector of cyclic garbage in a process that answers requests."""

import gc

# New objects between two collections; Python's own number is 700.
NEW_OBJECTS = 10_000


def keep_what_is_loaded() -> None:
    """Frees garbage, and exempts all that lives now from further collections; call it again when that is replaced.

    A collection looks at every object while all threads wait: of a process with a detector 0.05 to 0.1 s, in which no
    request is answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
