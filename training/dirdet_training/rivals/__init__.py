"""The heads and losses of what DIR is compared with, in plain torch."""
