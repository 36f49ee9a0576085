"""In whose name the API asks the scheduler."""

from __future__ import annotations

from contextvars import ContextVar

acting_user: ContextVar[str] = ContextVar("acting_user", default="")
"""The name of the token or link of the request that is being answered; "" where REST is open to everyone.

A job in the background keeps that of the request that began it.
"""
