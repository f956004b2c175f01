"""One download: the file that grows, whom it comes from, and what readers get of it."""
