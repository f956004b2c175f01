"""How a file is handed over, once it is known where it is."""
