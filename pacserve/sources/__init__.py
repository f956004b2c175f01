"""The vocabulary of sources: candidates, locations, and hosts that files are downloaded from."""
