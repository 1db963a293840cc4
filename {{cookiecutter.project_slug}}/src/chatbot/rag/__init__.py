"""Pure logic on the ports: parse, chunk, retrieve, answer, cite."""
