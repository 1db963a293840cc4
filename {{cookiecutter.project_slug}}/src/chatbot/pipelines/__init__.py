"""Work over the whole corpus, minutes and more: harvest, ingest, index, benchmark, report, purge, migrate.

A pipeline is a few steps, which are plain functions; `chatbot run NAME` runs them in this process, and flows.py wraps
the same steps for Prefect. Only flows.py imports Prefect, and only a command that is to use a Prefect server imports it.
"""
