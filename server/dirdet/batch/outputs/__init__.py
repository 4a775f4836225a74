"""Writes a job's results in other tools' formats, picture by picture from its Parquet parts."""
