"""Measuring speed side by side: what every `dirdet bench` needs.

`turns` takes the times, `machine` says where they were taken, `report` shows and writes them. What is measured lives
with what it measures, in the package that registers the subcommand.
"""
