"""The session's report: one HTML file without scripts, which needs nothing else."""

from warpcore.services.api.report.resource import routes

__all__ = ["routes"]
