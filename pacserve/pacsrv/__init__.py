"""The command `pacsrv`: pacman through pacserve, and what the daemon of this host is asked by people.  It runs in a process of its own."""
