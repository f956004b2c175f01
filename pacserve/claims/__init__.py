"""Agrees with the LAN which host downloads a file, and which hosts follow it."""
