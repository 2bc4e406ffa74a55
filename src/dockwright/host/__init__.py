"""Probes: what this kernel and host can do."""
