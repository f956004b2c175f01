"""Hosts that upgrade again and again while everything around them changes: `make soak`."""
