"""What every layer does to words: search terms, sentences, languages, and what is safe to show."""
