"""The oracle for "as with Docker": one script, run against a real dockerd and ours, and what differs between them."""
