"""Indexes of repositories: asked for once for all clients, compared with the last good copy, and kept."""
