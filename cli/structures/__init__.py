"""Structures of real particles to simulate from: PDB and mmCIF files, and the one that ships here."""

from __future__ import annotations

from importlib.resources import files
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import gemmi
import numpy as np

from warpcore.kernels.simulate import ELEMENTS

SHIPPED = "4v1w"

__all__ = ["Structure", "StructureError", "load_structure", "octahedral_rotations"]


class Structure(NamedTuple):
    """A whole particle: `positions_angstrom` [A, 3] (x, y, z) from its centre, `elements` [A] indices into ELEMENTS."""

    name: str
    positions_angstrom: np.ndarray
    elements: np.ndarray

    @property
    def diameter_angstrom(self) -> float:
        """Twice the distance of the outermost atom from the centre."""
        return 2 * float(np.sqrt((self.positions_angstrom**2).sum(axis=1).max()))


class StructureError(ValueError):
    """A structure file that cannot be used; the text names the file and the reason."""


def load_structure(path: Path | None = None) -> Structure:
    """The particle of a PDB or mmCIF file, or the shipped apoferritin (4V1W). Raises StructureError.

    The first model's atoms are taken, hydrogens and waters left out, and the first biological assembly is built of
    them.
    """
    if path is None:
        return _shipped()
    if not path.is_file():
        raise StructureError(f"{path}: no such file; name a PDB or mmCIF file")
    try:
        whole = _assembly(gemmi.read_structure(str(path), format=gemmi.CoorFormat.Detect))
    except OSError as error:
        raise StructureError(f"{error}; name a PDB or mmCIF file that can be read") from None
    except (RuntimeError, ValueError) as error:
        raise StructureError(f"{path}: no PDB or mmCIF file of a particle: {error}") from None
    atoms = [atom for chain in whole for residue in chain for atom in residue]
    if not atoms:
        raise StructureError(f"{path}: it has no atoms; a PDB or mmCIF file of a particle is needed")
    positions = np.array([atom.pos.tolist() for atom in atoms])
    names = [atom.element.name.upper() for atom in atoms]
    elements = np.array([ELEMENTS.index(name) if name in ELEMENTS else 0 for name in names])
    return Structure(path.stem.lower(), (positions - positions.mean(axis=0)).astype(np.float32), elements)


def _assembly(entry: gemmi.Structure) -> gemmi.Model:
    """The first biological assembly, or the first model where none is described; empty for a file without atoms."""
    if not len(entry):
        return gemmi.Model(1)
    model = entry[0]
    for assembly in entry.assemblies:
        if any(len(generator.operators) for generator in assembly.generators):
            model = gemmi.make_assembly(assembly, model, gemmi.HowToNameCopiedChain.Dup)
            break
    model.remove_hydrogens()
    model.remove_waters()
    model.remove_alternative_conformations()
    return model


def octahedral_rotations() -> np.ndarray:
    """The 24 rotations [24, 3, 3] that map the coordinate axes onto themselves (the group O)."""
    matrices = [
        np.diag(signs)[:, list(order)] for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)
    ]
    return np.array([m for m in matrices if np.linalg.det(m) > 0])


def _shipped() -> Structure:
    table = files("warpcore.cli.structures").joinpath(f"{SHIPPED}.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in table.splitlines() if not line.startswith("#")]
    chain = np.array([[float(value) for value in row[1:]] for row in rows])
    rotations = octahedral_rotations()
    whole = np.concatenate([chain @ rotation.T for rotation in rotations])
    elements = np.tile(np.array([ELEMENTS.index(row[0]) for row in rows]), len(rotations))
    return Structure(SHIPPED, (whole - whole.mean(axis=0)).astype(np.float32), elements)
