"""Zygote, shim and netd, and the task as the daemon sees it."""
