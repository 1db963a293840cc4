"""The bot's own HTTP API."""
