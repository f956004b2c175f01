"""HTTP clients: bounded questions to mirrors and peers."""
