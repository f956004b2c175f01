"""The web server: connections, bodies, routes, and the log."""
