"""The HTTP server: connections, their bounds, and the heads of responses."""
