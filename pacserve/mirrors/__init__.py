"""pacman's Server lines: expansion, health, order."""
