"""A synchronous Engine API client: transport, hijack, stream demultiplexing."""
