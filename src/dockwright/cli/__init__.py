"""The docker-compatible command line. It imports client, grammar and base only; one command module per run."""
