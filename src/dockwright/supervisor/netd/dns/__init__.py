"""The resolver of container names at 127.0.0.11.

    question -> message.parse -> names.Directory: a name of ours?  -> message.answer
                                                no -> upstream.Forwarder: the host's or the container's own servers

| file | idea |
|---|---|
| message | DNS messages as bytes (RFC 1035, RFC 6891) |
| names | who has which name on which network, and how a container sees them. Pure |
| answers | a question and what is known, to an answer. Pure |
| upstream | what is not ours is asked of real servers, from the host's or the container's network namespace |
| servers | the host's resolv.conf, followed |
| redirect | port 53 of 127.0.0.11 leads to our sockets, which have other ports |
| resolver | the sockets of one container |
"""
