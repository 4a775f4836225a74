"""The detector in this process, with a client's calls: `dirdet.load`."""
