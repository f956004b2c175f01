"""Bodies of responses: files, documents, and what is still arriving."""
