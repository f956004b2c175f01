"""What pacman knows: file names, pacman.conf, sync databases."""
