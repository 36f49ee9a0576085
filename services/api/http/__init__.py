"""How REST stands on an open network: connections, names, headers, rates, certificates.

`connections` and `buckets` decide without sockets and clocks; `listener` accepts connections and closes those that they
name; `hosts`, `headers` and `rates` are middlewares; `bodies` lets them see a request before its body is there;
`certificates` reads what TLS needs, `renewal` reads it again.
"""
