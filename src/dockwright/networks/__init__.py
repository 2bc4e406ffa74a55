"""Networks, endpoints, addresses, port publishing and the firewall."""
