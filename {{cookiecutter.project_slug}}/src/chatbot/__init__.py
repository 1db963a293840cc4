"""The chatbot: answers questions from its own documents, with citations."""
