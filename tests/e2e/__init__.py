"""Tests with real pacman, nginx and namespaces; they need root."""
