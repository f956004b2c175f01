"""The composition root: every class is wired here and nowhere else."""
