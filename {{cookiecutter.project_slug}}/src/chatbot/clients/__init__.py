"""What speaks to vendors and to other machines: a language model, an embedder, the web, an identity provider, a collector."""
