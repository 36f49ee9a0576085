"""Who sends a request, and what they may do."""

from warpcore.services.api.access.known import Known
from warpcore.services.api.access.middleware import Access, holds
from warpcore.services.api.access.rules import needed_role

__all__ = ["Access", "Known", "holds", "needed_role"]
