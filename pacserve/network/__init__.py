"""Addresses, and the interfaces of this machine."""
