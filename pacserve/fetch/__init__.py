"""HTTP clients: bounded requests to mirrors and peers."""
