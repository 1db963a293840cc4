"""The same answers for clients of Open Responses."""
