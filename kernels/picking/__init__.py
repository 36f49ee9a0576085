"""Particles: found by blobs, templates or a network, junk masked, boxes extracted."""

from __future__ import annotations

from warpcore.kernels.picking._blobs import BlobTrial, blob_trials, pick_blobs
from warpcore.kernels.picking._calibration import Beside, Calibration, compared
from warpcore.kernels.picking._consensus import agreed
from warpcore.kernels.picking._correlation import coarser
from warpcore.kernels.picking._junk import JunkMask, junk_mask
from warpcore.kernels.picking._network import (
    BACKGROUND,
    JUNK,
    PARTICLE,
    STRIDE,
    Candidates,
    candidates,
    forward,
    network_input,
    pick_network,
)
from warpcore.kernels.picking._noise import noise_like
from warpcore.kernels.picking._overlay import picks_overlay
from warpcore.kernels.picking._particles import extract_particles
from warpcore.kernels.picking._picks import LEAST_SCORE, TOUCHING, Picks, least_score
from warpcore.kernels.picking._projections import map_projections
from warpcore.kernels.picking._session_templates import (
    HeldBack,
    SessionTemplates,
    Verdict,
    expected_gain,
    session_templates,
    templates_help,
)
from warpcore.kernels.picking._suggest import Proposal, suggest_diameters
from warpcore.kernels.picking._templates import pick_templates
from warpcore.kernels.picking._weights import (
    Network,
    Parameters,
    WeightsError,
    initial_parameters,
    read_network,
    shipped_network,
    write_network,
)

__all__ = [
    "BACKGROUND",
    "JUNK",
    "LEAST_SCORE",
    "PARTICLE",
    "STRIDE",
    "TOUCHING",
    "Beside",
    "BlobTrial",
    "Calibration",
    "Candidates",
    "HeldBack",
    "JunkMask",
    "Network",
    "Parameters",
    "Picks",
    "Proposal",
    "SessionTemplates",
    "Verdict",
    "WeightsError",
    "agreed",
    "blob_trials",
    "candidates",
    "coarser",
    "compared",
    "expected_gain",
    "extract_particles",
    "forward",
    "initial_parameters",
    "junk_mask",
    "least_score",
    "map_projections",
    "network_input",
    "noise_like",
    "pick_blobs",
    "pick_network",
    "pick_templates",
    "picks_overlay",
    "read_network",
    "session_templates",
    "shipped_network",
    "suggest_diameters",
    "templates_help",
    "write_network",
]
