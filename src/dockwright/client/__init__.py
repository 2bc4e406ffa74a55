"""The synchronous Engine API client of our own command line.

Start time is its contract: `client.client` imports `_socket` and nothing heavier (no http.client, email, ssl, socket, re,
json), and this package nothing at all, so that the errors can be named without it.
"""
