"""Subcommands of `dirdet`: one module each, whose first line is its help."""
