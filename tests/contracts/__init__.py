"""One suite for each interface, run on everything that implements it."""
