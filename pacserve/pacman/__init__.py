"""Everything that knows pacman: its names, its configuration, its databases, and the front that it talks to."""
