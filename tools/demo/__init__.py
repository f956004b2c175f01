"""Three hosts that upgrade at the same moment, with and without pacserve: `make demo`."""
