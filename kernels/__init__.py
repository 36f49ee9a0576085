"""JAX kernels on arrays: no files, no sockets, no settings objects; units stand in the names."""
