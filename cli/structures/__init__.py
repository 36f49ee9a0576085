"""Structures of real particles to simulate from: PDB files, and the one that ships here."""

from __future__ import annotations

from importlib.resources import files
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from warpcore.kernels.simulate import ELEMENTS

SHIPPED = "4v1w"


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
    """The particle of a PDB file, its biological assembly built, or the shipped apoferritin (4V1W). Raises StructureError."""
    if path is None:
        return _shipped()
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise StructureError(f"{path}: {error.strerror or error}; name a PDB file that can be read") from None
    return parse_pdb(text, str(path), path.stem.lower())


def parse_pdb(text: str, where: str, name: str) -> Structure:
    """Atoms of the first model (hydrogens and waters left out) under the BIOMT operators of the first assembly.

    The format: wwPDB, Atomic Coordinate Entry Format 3.3. Raises StructureError.
    """
    positions: list[tuple[float, float, float]] = []
    elements: list[int] = []
    operators: dict[int, list[list[float]]] = {}
    assembly = 0
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.startswith("REMARK 350 BIOMOLECULE:"):
                assembly += 1
            elif line.startswith("REMARK 350   BIOMT") and assembly <= 1:
                fields = line[18:].split()
                operators.setdefault(int(fields[1]), []).append([float(v) for v in fields[2:6]])
            elif line.startswith(("ATOM  ", "HETATM")) and line[17:20] != "HOH" and line[16] in " A1":
                element = (line[76:78].strip() or line[12:14].strip().lstrip("0123456789")[:1]).upper()
                if element not in ("H", "D"):
                    positions.append((float(line[30:38]), float(line[38:46]), float(line[46:54])))
                    elements.append(ELEMENTS.index(element) if element in ELEMENTS else 0)
            elif line.startswith("ENDMDL"):
                break
        except (ValueError, IndexError):
            raise StructureError(f"{where}: line {number} is not a PDB record: {line.rstrip()[:80]!r}") from None
    if not positions:
        raise StructureError(f"{where}: no ATOM records; a PDB file is needed (mmCIF is not read)")
    matrices = [np.array(rows) for rows in operators.values() if len(rows) == 3 and all(len(r) == 4 for r in rows)]
    one = np.array(positions)
    whole = np.concatenate([one @ m[:, :3].T + m[:, 3] for m in matrices]) if matrices else one
    centred = whole - whole.mean(axis=0)
    return Structure(name, centred.astype(np.float32), np.tile(np.array(elements), max(1, len(matrices))))


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
