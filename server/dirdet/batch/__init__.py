"""Jobs over folders: every picture of a source detected on, into Parquet, resumable and exact."""
