"""The vector database, the queue and the secrets backend that were chosen: the only Python that the choices change."""
