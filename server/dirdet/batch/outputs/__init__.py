"""A job's results in other tools' formats, written picture by picture from its Parquet parts."""
