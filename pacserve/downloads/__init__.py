"""Downloads that are shared while they run."""
