"""Stand-ins for the world around a part, each with the behaviour that tests need and no more."""
