"""What a source of files is: candidates, and hosts that files are downloaded from."""
