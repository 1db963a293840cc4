"""Work over the whole corpus, minutes and more: harvest, ingest, index, benchmark, report, purge, migrate.

A pipeline is a few steps, which are plain functions; `chatbot run NAME` runs them in this process, and flows.py wraps
the same steps for Prefect. Only flows.py and with_prefect.py import Prefect, when a server is to be used.
"""
