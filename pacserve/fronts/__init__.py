"""Fronts for peers, browsers and programs; each package system has its own front in its folder."""
