"""The two processes behind the queue: what works jobs off, and what sends them and drops what is old."""
