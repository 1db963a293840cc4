"""The same answers for assistants and agents."""
