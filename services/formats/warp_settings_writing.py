"""Our settings as a `.settings` of Warp's, and a line for everything that it has no place for."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from warpcore.services.formats.warp_settings import OURS_TOGETHER, PAIRS, Texts
from warpcore.services.formats.warp_xml import number
from warpcore.services.session.settings import Settings, differences


def warp_settings(settings: Settings, data: str, processing: str) -> tuple[str, list[str]]:
    """The text of a `.settings`, and one line for each of our settings that Warp has no counterpart of.

    `data` and `processing` are the directories that it names. Settings of ours that are null because movies tell them
    are left out, so that Warp takes its default; that is told too.
    """
    values = settings.to_dict()
    texts: Texts = {"Import.DataFolder": data, "Import.ProcessingFolder": processing}
    notes: list[str] = []
    for pair in PAIRS:
        section, _, key = pair.ours.partition(".")
        value = values[section][key]
        if value is not None:
            texts[pair.warp] = pair.write(value)
        elif pair.ours.startswith("filter.") or pair.ours == "picking.diameter":
            notes.append(f"{pair.ours} is null: Warp has no such choice and takes {pair.default}")
        else:
            notes.append(f"{pair.ours} is null, from each movie: Warp takes {pair.default}; set {pair.warp} there")
    _write_import(settings, texts, notes)
    _write_grids(settings, texts)
    _write_boxes(settings, texts, notes)
    mapped = {pair.ours for pair in PAIRS} | OURS_TOGETHER
    changed = differences(Settings(), settings)
    notes += [
        f"{name} = {value}: Warp has no counterpart" for name, (_, value) in changed.items() if name not in mapped
    ]
    return _text(texts), notes


def _write_import(settings: Settings, texts: Texts, notes: list[str]) -> None:
    imported = settings.import_
    texts["Import.Extension"] = imported.patterns[0]
    if len(imported.patterns) > 1:
        others = ", ".join(imported.patterns[1:])
        notes.append(f"import.patterns: Warp takes one, {imported.patterns[0]}; left out: {others}")
    for name, path in (("Gain", imported.gain_path), ("Defects", imported.defects_path)):
        texts[f"Import.{name}Path"], texts[f"Import.Correct{name}"] = path or "", str(path is not None)
    if imported.dose_per_frame is not None:
        texts["Import.DosePerAngstromFrame"] = number(imported.dose_per_frame)
    else:
        notes.append("import.dose_per_frame is null, from each movie: Warp takes 0, no weighting by dose; set it there")
    if imported.eer_frames_per_group is not None:
        texts["Import.EERGroupFrames"] = str(imported.eer_frames_per_group)
    elif imported.eer_groups is not None:
        texts["Import.EERGroupFrames"] = str(-imported.eer_groups)
    if imported.eer_dose_per_group is not None:
        notes.append("import.eer_dose_per_group: Warp knows raw frames a group or a number of groups alone")


def _write_grids(settings: Settings, texts: Texts) -> None:
    grids = {"CTF": settings.ctf.grid and [*settings.ctf.grid, 1], "Movement": settings.motion.grid}
    for name, grid in grids.items():
        sides = grid or ([0, 0, 1] if name == "CTF" else [0, 0, 0])
        texts |= {f"Grids.{name}{axis}": str(side) for axis, side in zip("XYZ", sides, strict=True)}


def _write_boxes(settings: Settings, texts: Texts, notes: list[str]) -> None:
    export, imported = settings.export, settings.import_
    texts["Picking.DataStyle"] = "cryo" if settings.picking.contrast == "dark" else "neg"
    if export.box_size is not None and export.particle_pixel_size is None:
        texts["Picking.BoxSize"] = str(export.box_size)
    elif export.box_size is not None and export.particle_pixel_size is not None and imported.pixel_size is not None:
        pixel = imported.pixel_size * 2**imported.binning
        texts["Picking.BoxSize"] = str(2 * round(export.box_size * export.particle_pixel_size / pixel / 2))
        texts["Picking.DoResample"], texts["Picking.BoxSizeResample"] = "True", str(export.box_size)
    elif export.particle_pixel_size is not None:
        notes.append("export.particle_pixel_size: Warp needs the movies' pixel size and the box to resample by")
    low, high = settings.filter.limits.get("ctf.phase_shift_pi", (None, None))
    texts |= {
        f"Filter.Phase{name}": number(value) for name, value in (("Min", low), ("Max", high)) if value is not None
    }
    others = [name for name in settings.filter.limits if name != "ctf.phase_shift_pi"]
    notes += [f"filter.limits of {name}: Warp has no counterpart" for name in others]


def _text(texts: Texts) -> str:
    root = ET.Element("Settings")
    sections = {"": root}
    for name, value in texts.items():
        section, _, key = name.partition(".")
        if section not in sections:
            sections[section] = ET.Element(section)
        ET.SubElement(sections[section], "Param", {"Name": key, "Value": value})
    order = ("Import", "CTF", "Movement", "Grids", "Tomo", "Picking", "Export", "Tasks", "Filter")
    root.extend(sections[name] for name in order if name in sections)
    ET.indent(root, "\t")
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"
