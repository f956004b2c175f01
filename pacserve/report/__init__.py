"""What people are told: what the daemon does, and what it did."""
