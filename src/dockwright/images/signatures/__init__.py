"""Signatures of images: found beside an image at its registry, kept beside it here, held against keys, offline.

The words of this package: a *signature* is over a *claim*, which names an image by digest, and perhaps says what it is called.
A *key* is what somebody trusts: a public key, or a certificate. A *policy* says which keys an image of which repository needs.
"""
