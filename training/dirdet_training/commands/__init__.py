"""Subcommands of `dirdet`, one module each; the first line of its docstring is its help."""
