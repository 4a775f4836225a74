"""Ten minutes on a GPU: one command that measures what tells the most, first things first."""
