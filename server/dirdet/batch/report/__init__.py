"""report.html of a job: what was found, how sure the detector is, what failed, how fast it went."""
