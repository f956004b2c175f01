"""Databases: asked for once for all, compared with the last good copy, and kept."""
