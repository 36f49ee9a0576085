"""Prints for which Python and processor wheels are that this interpreter gets: `CPython 3.12 on x86_64`."""

import platform

print(platform.python_implementation(), ".".join(platform.python_version_tuple()[:2]), "on", platform.machine())
