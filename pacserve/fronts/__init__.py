"""What pacman talks to."""
