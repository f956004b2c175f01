"""pacserve makes the machines around you the first pacman mirror."""

__version__ = "0.1.0"
