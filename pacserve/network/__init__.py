"""Addresses, and what this machine's interfaces have of them."""
