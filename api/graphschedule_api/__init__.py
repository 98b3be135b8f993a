"""The HTTP API: the drop-in for the platform's scheduler, and REST for everyone else."""
