"""With `chosen`, the only modules that import a vendor's SDK; each fulfils a protocol of `chatbot.ports`."""
