"""The public API's bodies, a module for each of what they are of."""
