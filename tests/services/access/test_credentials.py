"""When tokens, codes, links and sign-ins hold: decisions without files and clocks."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest

import pytest

from warpcore.services.access import credentials
from warpcore.services.access.credentials import (
    SIGN_IN_LIFE_S,
    Credential,
    Kind,
    Refusal,
    RefusedCredentialError,
    TokenRole,
    browsers_by_parent,
    digest_of,
    exchangeable,
    holder_of,
    id_in,
    identified,
    is_name,
    new_text,
    sign_in_from,
)

NOW = 1_800_000_000.0


def made(kind: Kind, *, parent: str = "", end: float | None = None, uses: int | None = None) -> tuple[Credential, str]:
    """A credential and its text."""
    id, text = new_text(kind)
    name, role = ("", None) if parent else ("ada", TokenRole.OPERATE)
    return Credential(id, kind, digest_of(text), name, role, parent, NOW, end, uses), text


def known(*credentials: Credential) -> dict[str, Credential]:
    """As the store gives them."""
    return {one.id: one for one in credentials}


def refusal(text: str, credentials: dict[str, Credential], now: float = NOW, kind: Kind = Kind.TOKEN) -> Refusal:
    """Why a text is refused."""
    with pytest.raises(RefusedCredentialError) as caught:
        identified(text, credentials, now, kind)
    return caught.value.refusal


def test_a_token_is_its_holder_until_it_expires() -> None:
    token, text = made(Kind.TOKEN, end=NOW + 10)
    holder = identified(text, known(token), NOW + 9.9, Kind.TOKEN)
    assert (holder.name, holder.role, holder.expires_at) == ("ada", TokenRole.OPERATE, NOW + 10)
    assert refusal(text, known(token), NOW + 10) is Refusal.EXPIRED


def test_texts_are_random_and_only_their_digest_is_kept() -> None:
    token, text = made(Kind.TOKEN)
    assert len({new_text(Kind.TOKEN)[1] for _ in range(50)}) == 50
    assert text.startswith("wct_")
    assert text not in repr(token)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text + "A",
        lambda text: text[:-1],
        lambda text: text.upper(),
        lambda text: "wcs" + text[3:],
        lambda text: "",
        lambda text: text.split("_", 2)[1],
        lambda text: "wct__",
        lambda text: "wct_\u0131_x",
        lambda text: text * 50,
        lambda text: "\ud800",
    ],
)
def test_any_other_text_is_not_known(change: object) -> None:
    token, text = made(Kind.TOKEN)
    assert refusal(change(text), known(token)) is Refusal.UNKNOWN  # type: ignore[operator]


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    token, text = made(Kind.TOKEN)
    compared = []

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr(credentials.hmac, "compare_digest", noted)
    identified(text, known(token), NOW, Kind.TOKEN)
    refusal(f"{text[:-20]}{'A' * 20}", known(token))
    assert compared == [(32, 32)] * 2, "digests, whatever was sent"


def test_the_text_of_another_session_is_not_known_even_with_an_id_of_this_one() -> None:
    token, _ = made(Kind.TOKEN)
    other, text = made(Kind.TOKEN)
    assert refusal(text, known(token)) is Refusal.UNKNOWN
    assert refusal(text.replace(other.id, token.id), known(token)) is Refusal.UNKNOWN


def test_each_kind_is_good_for_its_own_use_alone() -> None:
    token, text = made(Kind.TOKEN)
    for kind in (Kind.CODE, Kind.LINK, Kind.SIGN_IN):
        other, its_text = made(kind, parent=token.id)
        assert refusal(its_text, known(token, other)) is Refusal.WRONG_KIND
        assert refusal(text, known(token), kind=kind) is Refusal.WRONG_KIND


def test_what_stems_from_a_token_ends_with_it() -> None:
    token, _ = made(Kind.TOKEN, end=NOW + 100)
    sign_in, cookie = sign_in_from(token, NOW)
    assert identified(cookie, known(token, sign_in), NOW, Kind.SIGN_IN).expires_at == NOW + 100
    assert refusal(cookie, known(token, sign_in), NOW + 100, Kind.SIGN_IN) is Refusal.EXPIRED
    revoked = replace(token, revoked_at=NOW + 5)
    assert refusal(cookie, known(revoked, sign_in), NOW + 6, Kind.SIGN_IN) is Refusal.REVOKED
    assert refusal(cookie, known(sign_in), NOW, Kind.SIGN_IN) is Refusal.UNKNOWN


def test_a_sign_in_ends_by_itself_where_its_token_never_does() -> None:
    token, _ = made(Kind.TOKEN)
    sign_in, _cookie = sign_in_from(token, NOW)
    assert holder_of(sign_in, known(token), NOW + 1).expires_at == NOW + SIGN_IN_LIFE_S


def test_a_browser_that_came_by_a_link_stays_signed_in_as_long_as_that_holds() -> None:
    for life_s in (3600.0, 3 * SIGN_IN_LIFE_S):
        link, _ = made(Kind.LINK, end=NOW + life_s)
        sign_in, _cookie = sign_in_from(link, NOW + 60)
        assert holder_of(sign_in, known(link), NOW + 61).expires_at == NOW + life_s


def test_browsers_count_while_they_are_signed_in() -> None:
    token, _ = made(Kind.TOKEN)
    code, _ = made(Kind.CODE, parent=token.id)
    early, _ = sign_in_from(token, NOW)
    late, _ = sign_in_from(token, NOW + 60)
    known_ones = [token, code, early, late]
    assert browsers_by_parent(known_ones, NOW + 61)[token.id] == 2
    assert browsers_by_parent(known_ones, NOW + SIGN_IN_LIFE_S)[token.id] == 1


def test_a_code_signs_in_as_its_token_once_and_within_its_life() -> None:
    token, _ = made(Kind.TOKEN)
    code, text = made(Kind.CODE, parent=token.id, end=NOW + 60, uses=1)
    sign_in, _ = sign_in_from(exchangeable(text, known(token, code), NOW), NOW)
    assert holder_of(sign_in, known(token), NOW + 3600).name == "ada", "it outlives the code"
    for changed, now, why in (
        (replace(code, uses_left=0), NOW, Refusal.USED),
        (code, NOW + 60, Refusal.EXPIRED),
    ):
        with pytest.raises(RefusedCredentialError) as caught:
            exchangeable(text, known(token, changed), now)
        assert caught.value.refusal is why


def test_a_sign_in_makes_no_other() -> None:
    token, _ = made(Kind.TOKEN)
    sign_in, cookie = sign_in_from(token, NOW)
    with pytest.raises(RefusedCredentialError) as caught:
        exchangeable(cookie, known(token, sign_in), NOW)
    assert caught.value.refusal is Refusal.WRONG_KIND


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ada", True),
        ("ada@lab-2.example", True),
        ("", False),
        ("-x", False),
        ("a b", False),
        ("a" * 65, False),
        ("a\n", False),
    ],
)
def test_names(text: str, is_one: bool) -> None:
    assert is_name(text) is is_one


def test_ids_are_read_from_texts_of_ours_alone() -> None:
    id, text = new_text(Kind.LINK)
    assert id_in(text) == id
    assert id_in(f"xyz_{id}_abc") == ""
