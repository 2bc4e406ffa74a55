"""Volumes: what containers keep beyond their lives. Rows in the database, directories below DATA/volumes."""
