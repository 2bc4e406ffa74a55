"""Handlers, one file per noun: read the query and the body, call a manager, shape the answer."""
