"""Shadow traffic: a candidate computes some of what was answered already, and its differences are counted."""
