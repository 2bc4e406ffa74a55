"""Engine API and OCI documents as typed structs."""
