"""Reports for people: the state of the daemon, and the history of its traffic."""
