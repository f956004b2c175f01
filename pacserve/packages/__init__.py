"""What every package system has in common: files, what catalogues state of them, and what a host holds."""
