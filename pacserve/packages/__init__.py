"""Everything that package systems have in common: files, what catalogues state of them, and what a host holds."""
