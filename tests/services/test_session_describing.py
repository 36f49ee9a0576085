"""Settings in words: complete, and true to what they declare."""

from __future__ import annotations

import pytest

from warpcore.services.session.describing import columns_in_words, descriptions, steps_in_words
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN


def test_every_setting_is_described_once_in_the_order_of_the_sections() -> None:
    names = [one.name for one in descriptions()]
    held = [f"{section}.{name}" for section, values in Settings().to_dict().items() for name in values]
    assert names == held
    assert all(one.description for one in descriptions())


@pytest.mark.parametrize(
    ("name", "unit", "allowed", "touches"),
    [
        ("ctf.voltage", "kV", "20 to 2000", "ctf; picking; export"),
        ("ctf.window", "px", "128 to 4096, a multiple of 2", "ctf; picking; export"),
        ("motion.range_max", "Å", "above 0 to 1000", "motion; ctf; picking; export"),
        ("import.patterns", "", "", "which files are movies, or their groups; nothing runs"),
        ("import.eer_upsampling", "", "1 or 2 or 4", "everything"),
        (
            *("picking.method", "", '"auto" or "both" or "blob" or "network" or "template"'),
            "picking; export where particles are exported",
        ),
        ("picking.shapes", "", '"disc" or "ring"', "picking; export where particles are exported"),
        (
            *("picking.threshold", "", "0 to 1"),
            "picking, from what it has kept; export where particles are exported",
        ),
        (
            *("picking.expected_false", "", "0 to 1"),
            "picking, from what it has kept; export where particles are exported",
        ),
        ("export.box_size", "px", "8 to 4096, a multiple of 2", "export, from what it has kept"),
        ("filter.junk_max", "%", "0 to 100", "which movies pass; nothing runs"),
        ("filter.particles_min", "", "from 0 on", "which movies pass; nothing runs"),
    ],
)
def test_unit_range_and_reach_are_those_declared(name: str, unit: str, allowed: str, touches: str) -> None:
    (one,) = descriptions(name)
    assert (one.unit, one.allowed, one.touches) == (unit, allowed, touches)


def test_defaults_are_those_of_the_settings() -> None:
    dumped = Settings().to_dict()
    for one in descriptions():
        section, _, name = one.name.partition(".")
        assert one.default == dumped[section][name]


def test_columns_and_steps_are_all_described() -> None:
    assert [name for name, *_ in columns_in_words()] == [column.name for column in CHAIN.columns]
    assert all(words[-1] for words in columns_in_words())
    assert [(name, parents) for name, parents, *_ in steps_in_words()][:4] == [
        ("motion", "the raw movie"),
        ("ctf", "motion"),
        ("picking", "motion, ctf"),
        ("export", "motion, ctf; picking where particles are exported"),
    ]
