"""The same answers for OpenAI's clients."""
