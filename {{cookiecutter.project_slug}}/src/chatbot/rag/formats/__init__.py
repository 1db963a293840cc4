"""One module a file format, each with `read(content: bytes, name: str) -> ParsedDocument`; parse.py chooses."""
