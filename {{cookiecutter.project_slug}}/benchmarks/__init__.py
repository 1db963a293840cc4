"""Measurements of the real chatbot on public data; not part of what is deployed."""
