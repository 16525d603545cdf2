"""Other services that wrap a key for us. Google's and Azure's are stand-ins by their documents: none was seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kms import AZURE, GOOGLE, TOKEN, StandIn, stand_in

from keystead.app.kms import place_of
from keystead.config import Kms
from keystead.core.errors import InvalidArgument, KeysteadError, NotFound, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.net.https import Https
from keystead.seals import services
from keystead.seals.services import Kept

KEY = Sensitive(b"k" * 32)
KEYS = {"google": GOOGLE, "azure": AZURE}


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[StandIn]:
    with stand_in(tmp_path_factory.mktemp("kms")) as running:
        yield running


@pytest.fixture(params=KEYS)
def kind(request) -> str:
    return request.param


def settings(service: StandIn, kind: str, folder: Path, **changed) -> Kms:
    token = folder / "token"
    token.write_text(changed.pop("token", TOKEN) + "\n")
    given = {
        "service": kind,
        "key": KEYS[kind],
        "endpoint": service.endpoint,
        "credential": f"file:{token}",
        "trust": f"file:{service.ca}",
        "private": True,
    }
    return Kms(**{**given, **changed})


def test_a_key_is_wrapped_and_comes_back_and_is_never_seen_bare_but_by_the_service(service, kind, tmp_path) -> None:
    at = place_of("one", settings(service, kind, tmp_path), Https())
    kept = services.wrap(at, KEY)
    assert services.unwrap(at, kept).reveal() == KEY.reveal()
    assert KEY.reveal() not in kept.ciphertext and services.wrap(at, KEY) != kept


def test_the_requests_are_those_of_the_documents(service, tmp_path) -> None:
    service.asked.clear()
    for kind in KEYS:
        at = place_of("one", settings(service, kind, tmp_path), Https())
        services.unwrap(at, services.wrap(at, KEY))
    paths = [path for path, _ in service.asked]
    assert paths[:2] == [f"/v1/{GOOGLE}:encrypt", f"/v1/{GOOGLE}:decrypt"]
    assert paths[2] == f"/keys/{AZURE}/wrapkey?api-version=7.4" and paths[3].count("/") == 4
    assert set(service.asked[0][1]) == {"plaintext", "additionalAuthenticatedData"}


def test_a_credential_is_read_each_time_from_a_file_or_a_command(service, kind, tmp_path) -> None:
    at = place_of("one", settings(service, kind, tmp_path), Https())
    kept = services.wrap(at, KEY)
    (tmp_path / "token").write_text("old")
    with pytest.raises(Unauthenticated, match="credential"):
        services.unwrap(at, kept)
    (tmp_path / "token").write_text(TOKEN)
    assert services.unwrap(at, kept).reveal() == KEY.reveal()
    printing = settings(service, kind, tmp_path, credential="", command=["/bin/echo", TOKEN])
    assert services.unwrap(place_of("one", printing, Https()), kept).reveal() == KEY.reveal()
    for command in (["/nonexistent"], ["/bin/false"], ["/bin/true"]):
        failing = place_of("one", settings(service, kind, tmp_path, credential="", command=command), Https())
        with pytest.raises(Unavailable, match="command"):
            services.unwrap(failing, kept)


def test_what_was_changed_does_not_open(service, kind, tmp_path) -> None:
    at = place_of("one", settings(service, kind, tmp_path), Https())
    kept = services.wrap(at, KEY)
    flipped = bytes([kept.ciphertext[0] ^ 1]) + kept.ciphertext[1:]
    with pytest.raises(Unauthenticated):
        services.unwrap(at, Kept(flipped, kept.key))


ODD = [
    (403, b'{"error":{"code":"Forbidden","status":"PERMISSION_DENIED"}}', Unauthenticated),
    (404, b"", NotFound),
    (429, b"{}", Unavailable),
    (500, b"<html>", Unavailable),
    (503, b"", Unavailable),
    (302, b"", Unavailable),
    (200, b"", Unavailable),
    (200, b"[]", Unavailable),
    (200, b'{"plaintext":7,"value":7,"ciphertext":7,"kid":7}', Unavailable),
    (200, b'{"plaintext":"\\u00ff","value":"!","ciphertext":"a","kid":"https://x/keys/other/1"}', Unavailable),
    (200, b"x" * 70000, Unavailable),
]


@pytest.mark.parametrize(("status", "body", "raises"), ODD, ids=[f"{s} {b[:20]!r}" for s, b, _ in ODD])
def test_whatever_it_answers_is_its_protocol_or_an_error_that_quotes_nothing(
    service, kind, tmp_path, status, body, raises
) -> None:
    at = place_of("one", settings(service, kind, tmp_path), Https())
    for ask in (lambda: services.wrap(at, KEY), lambda: services.unwrap(at, Kept(b"x", AZURE))):
        service.answers.append((status, body))
        with pytest.raises(raises) as caught:
            ask()
        assert "one" in str(caught.value) and "html" not in str(caught.value)
        service.answers.clear()


def test_a_service_that_is_not_there_or_that_nobody_vouches_for(service, kind, tmp_path) -> None:
    for changed, says in (
        ({"endpoint": "https://localhost:1"}, "cannot be asked"),
        ({"private": False}, "not public"),
        ({"trust": ""}, "certificate"),
    ):
        at = place_of("one", settings(service, kind, tmp_path, **changed), Https())
        with pytest.raises(Unavailable, match=says):
            services.wrap(at, KEY)


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "http://localhost:1"},
        {"endpoint": ""},
        {"credential": ""},
        {"command": ["/bin/true"]},
        {"credential": "env:TOKEN"},
    ],
)
def test_settings_that_cannot_be_followed_are_refused(service, tmp_path, changed) -> None:
    with pytest.raises(InvalidArgument):
        place_of("one", settings(service, "azure", tmp_path, **changed), Https())


def test_no_token_is_in_any_error(service, kind, tmp_path) -> None:
    at = place_of("one", settings(service, kind, tmp_path, token="canary-token"), Https())
    with pytest.raises(KeysteadError) as caught:
        services.wrap(at, KEY)
    assert "canary" not in str(caught.value) + repr(at) + json.dumps(str(caught.value.__cause__))
