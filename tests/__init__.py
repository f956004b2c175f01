"""The tests of pacserve."""
