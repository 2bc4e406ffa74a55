"""The OCI runtime spec of a container, from its configuration and its image's."""
