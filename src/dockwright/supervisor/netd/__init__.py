"""netd: holds the host's side of published ports, answers for names, and outlives the daemon.

For every published port it binds a real socket, so that no other program can take the port. Remote packets never reach
that socket, nftables rewrites them before; what does reach it (127.0.0.1, [::1], the host's IPv6 addresses, everything
while somebody has flushed the firewall) is carried to the container by the proxy in here.

One thread, one epoll loop. A reserved port refuses (TCP: bound, not listening; UDP: a filter drops everything) until it
is opened with a target. The control socket speaks frames: four bytes of length, then a marshal'ed dict.

    {"op": "hello"}                       -> {"version", "pid", "held": {owner: [binding, ...]}, "resolvers": {owner: path}}
    {"op": "reserve", "owner", "bindings": [(protocol, address, port), ...], "instead": [...]} -> {} or {"errno", "binding"}
    {"op": "open", "owner", "targets": [(protocol, address, port, container address, container port), ...]} -> {}
    {"op": "release", "owner", "bindings"} -> {}, none: all it has ; {"op": "stop"} -> {}, then the process ends
    {"op": "directory", "networks": {id: [name, {endpoint: record}]}} -> {}     replaces all that was known
    {"op": "name", "network", "called", "endpoint", "record"} -> {} ; {"op": "unname", "network", "endpoint"} -> {}
    {"op": "resolve", "owner", "namespace": path, "view"} -> {} or {"errno"}    serve 127.0.0.11 there, or see names anew
    {"op": "several", "requests": [any of the above, ...]} -> {"answers": [...]}
    {"op": "explain", "owner", "name", "kind"} -> {"answer": message, "why": [...]} when there is one, or {"errno"}

A record is [names, addresses, [[port, protocol], ...]], a view has the arguments of dns.names.View; addresses are texts.
A container's resolver (dns/) is two sockets inside its network namespace. A reservation is wholly made or not at all.
netd ends by itself when it holds nothing and no daemon is connected.
It runs isolated and without site-packages, and imports only small modules of the standard library.
"""
