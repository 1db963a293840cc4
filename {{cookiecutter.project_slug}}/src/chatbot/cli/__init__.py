"""One command, `chatbot`: every process and every admin task (factors VI, VIII, XII)."""
