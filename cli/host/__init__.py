"""What `warpcore check` looks at on a host, and what it says of it."""
