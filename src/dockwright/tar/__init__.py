"""Tar streams: entries read, headers written, a directory tree as a tar and back."""
