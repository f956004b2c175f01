"""Measures the speed and costs of pacserve, against nginx in the same run."""
