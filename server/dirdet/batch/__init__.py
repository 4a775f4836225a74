"""Jobs over folders: detects on every picture of a source, writes Parquet; jobs are resumable and deterministic."""
