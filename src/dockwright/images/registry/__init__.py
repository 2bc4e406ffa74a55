"""The registry client: OCI distribution spec 1.1 and what Docker's registries do beside it.

Words, as the specification has them:

    registry    a host that serves repositories below /v2/
    repository  a name there: manifests, tags that point at them, blobs
    endpoint    one way to a registry: an address, how it is trusted, what it may be asked for (a mirror is one, too)
    challenge   what a 401 asks for: Basic, or a Bearer token from the place it names (its realm)
    session     an upload under way; each answer says where it goes on (Location)

Nothing here knows images or the disk: documents and bytes come out, with sizes and digests still to be checked by the caller
where they arrive in pieces. aiohttp is imported at the first request, for the idle daemon does not need it.
"""
