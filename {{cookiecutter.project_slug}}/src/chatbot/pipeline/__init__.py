"""Steps over the corpus, as plain functions: harvest, ingest, index."""
