"""Other pacservers, and what they ask of this one."""
