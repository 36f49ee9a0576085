"""The session's movies as columns, kept in each API process: what lists, series and pictures are made from."""

from warpcore.services.api.mirror.mirror import Mirror
from warpcore.services.api.mirror.rows import MovieRow, Rows
from warpcore.services.session.movie_generation import generation_of

__all__ = ["Mirror", "MovieRow", "Rows", "generation_of"]
