"""Runs the command as `python -m dirdet`, as torchrun wants it."""

from dirdet.cli import main

if __name__ == "__main__":
    main()
