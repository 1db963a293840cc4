"""From a question to an answer with citations: pure logic on the ports."""
