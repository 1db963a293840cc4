"""Logs, metrics and traces, as every process writes them."""
