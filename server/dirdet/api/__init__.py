"""The contract of the API: schemas, problems, examples."""
