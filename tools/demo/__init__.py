"""Three hosts that upgrade at the same moment, with and without pacserve: C{make demo}."""
