"""The commands; the only place that imports the reactor."""
