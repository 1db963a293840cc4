"""Around every request, before and after the routes."""
