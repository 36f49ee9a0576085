"""The view of squares in a real browser: the map, its colours, and the way from a square to its holes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.services.api.rest_session import Api, WireWorker
from warpcore.bus import messages as m


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    """Twelve movies in two squares."""
    with closing(Api(tmp_path_factory.mktemp("squares"), free_ports(5))) as session:
        session.wait()
        files = []
        for number in range(12):
            told = m.Acquisition(
                square=str(number // 6), hole=str(number), stage_x_um=10.0 * number, stage_y_um=float(number % 3)
            )
            files.append(m.FoundFile(f"m{number}.tif", 1, 1, header=m.Header(8, 64, 64, 1.1), acquisition=told))
        session.control.request(m.RegisterFiles(files))
        with closing(WireWorker(session.endpoints)):
            yield session


def test_squares_lead_to_their_holes(
    placed: Api, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{placed.http.base_url}/#/squares")
    expect(page.get_by_role("row", name="good: 6 of 6 movies good")).to_have_count(2)
    expect(page.get_by_role("img", name="Map of all squares")).to_be_visible()
    page.get_by_label("Colour").select_option("place.square")
    expect(page.get_by_role("img", name="Map of all squares by place.square")).to_be_visible()
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", name="Holes of square 1")).to_be_visible()
    expect(page.get_by_role("row", name="1 movie: too few to judge")).to_have_count(6)
    assert "colour=place.square" in page.url
    drawn = page.get_by_role("img", name="Map of square 1").evaluate(
        "image => image.decode().then(() => image.naturalWidth)"
    )
    assert drawn == 1000
    assert barriers(page) == []
    page.get_by_role("link", name="all squares").click()
    expect(page.get_by_role("region", name="Squares")).to_be_visible()
