"""The Engine API server: HTTP to manager calls and back, nothing else."""
