"""Finds other pacservers of the LAN, which announce themselves."""
