"""The local package caches."""
