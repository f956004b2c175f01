"""Twisted web pieces that every front shares."""
