"""`make release`: sees whether this checkout can be released, builds it, and says what to do next."""
