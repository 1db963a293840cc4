"""What speaks to vendors and to other machines: models, the web, an identity provider, a collector."""
