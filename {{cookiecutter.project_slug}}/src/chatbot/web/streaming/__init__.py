"""Answers as they are written, broken off and resumed."""
