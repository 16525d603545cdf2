"""The keys of issuers: where they are read, how long they are kept, how often they are asked for (security.md §4-I)."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack, suppress

import pytest
from tests.fakes import FakeClock
from tests.tokens import SigningKey, key_set

from keystead import config
from keystead.app.issuers import key_source
from keystead.config import Config, Issuer
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.keystores import Trouble
from keystead.core.ports import PUBLIC, Terms, Unreached, WouldBlock
from keystead.service.credentials.few import Few
from keystead.service.credentials.keysets import (
    AGAIN,
    AGAIN_FOR_THE_FIRST,
    FRESH_FOR,
    MOST_FOR_ONE,
    MOST_FOR_TENANT,
    STALE_FOR,
    UNREACHABLE,
    KeySets,
)

URL = "https://issuer.example/a"
ONE, TWO = SigningKey("ES256", "one"), SigningKey("RS256", "two")


def anywhere() -> None:
    """This thread may block."""


def on_the_loop() -> None:
    raise WouldBlock


class House:
    """KeySets over a clock that stands still and issuers in a dict."""

    def __init__(self) -> None:
        self.now, self.sets, self.asked = 0.0, {URL: key_set(ONE)}, []
        self.keys = KeySets(self.read, lambda: self.now)

    def read(self, issuer: str) -> bytes:
        self.asked.append(issuer)
        if issuer not in self.sets:
            raise Unavailable("no answer")
        return self.sets[issuer]

    def find(self, kid: str = "one", alg: str = "ES256", issuer: str = URL):
        return self.keys.find(issuer, kid, alg, anywhere)


@pytest.fixture
def house() -> House:
    return House()


def test_keys_are_read_once_while_they_are_fresh(house) -> None:
    for _ in range(5):
        assert house.find() is not None
    house.now = FRESH_FOR - 1
    assert house.find() is not None and len(house.asked) == 1
    house.now = FRESH_FOR
    house.sets[URL] = key_set(TWO)
    assert house.find() is None and house.find("two", "RS256") is not None  # what an issuer withdraws is gone
    assert len(house.asked) == 2


def test_row_26_a_kid_is_one_issuers(house) -> None:
    house.sets["https://other.example"] = key_set(TWO)
    assert house.find() is not None and house.find("two", "RS256", "https://other.example") is not None
    assert house.find("two", "RS256") is None and house.find("one", "ES256", "https://other.example") is None


def test_a_key_is_found_for_its_own_algorithm(house) -> None:
    assert house.find(alg="RS256") is None and house.find(alg="ES384") is None
    house.sets[URL] = key_set(ONE, SigningKey("RS256", "one"), ONE.jwk | {"kty": "oct"})
    house.now = FRESH_FOR
    assert house.find(alg="ES256").kty == "EC" and house.find(alg="RS256").kty == "RSA"


def test_unknown_kids_are_asked_for_once_a_minute(house) -> None:
    for n in range(100):
        assert house.find(f"made-up-{n}") is None
    assert len(house.asked) == 1
    house.now = AGAIN - 0.1
    assert house.find("another") is None and len(house.asked) == 1
    house.now = AGAIN
    for n in range(100):
        assert house.find(f"made-up-{n}") is None
    assert len(house.asked) == 2


def test_an_issuer_that_does_not_answer_is_asked_again_now_and_then(house) -> None:
    del house.sets[URL]
    for _ in range(10):
        with pytest.raises(Unavailable) as caught:
            house.find()
    assert caught.value.detail == UNREACHABLE and len(house.asked) == 1
    house.now = AGAIN_FOR_THE_FIRST
    house.sets[URL] = key_set(ONE)
    assert house.find() is not None


def test_old_keys_serve_while_an_issuer_is_away_and_not_for_ever(house) -> None:
    assert house.find() is not None
    del house.sets[URL]
    for house.now in (FRESH_FOR, FRESH_FOR + AGAIN, STALE_FOR - 1):
        assert house.find() is not None
    assert len(house.asked) == 4
    house.now = STALE_FOR
    with pytest.raises(Unavailable):
        house.find()


def test_a_set_that_is_none_leaves_the_old_one(house) -> None:
    assert house.find() is not None
    house.now, house.sets[URL] = FRESH_FOR, b"<html>"
    assert house.find() is not None


def test_on_the_event_loop_nothing_is_read(house) -> None:
    with pytest.raises(WouldBlock):
        house.keys.find(URL, "one", "ES256", on_the_loop)
    assert house.asked == []
    house.find()
    assert house.keys.find(URL, "one", "ES256", on_the_loop) is not None
    assert house.keys.find(URL, "made-up", "ES256", on_the_loop) is None  # within the minute: no thread for it


def test_row_131_an_issuer_that_hangs_holds_few_threads() -> None:
    """Everybody else is answered at once; whoever waits gets what comes."""
    begun, go = threading.Event(), threading.Event()

    def read(_issuer: str) -> bytes:
        begun.set()
        assert go.wait(60)
        return key_set(ONE)

    keys, found, refused = KeySets(read, FakeClock().monotonic), [], []

    def ask() -> None:
        try:
            found.append(keys.find(URL, "one", "ES256", anywhere))
        except Unavailable as error:
            refused.append(error)

    first = threading.Thread(target=ask)
    first.start()
    assert begun.wait(60)
    others = [threading.Thread(target=ask) for _ in range(20)]
    for thread in others:
        thread.start()
    while len(refused) < 20 - (MOST_FOR_ONE - 1):
        first.join(0.01)
    assert not found
    go.set()
    for thread in (first, *others):
        thread.join(60)
    assert len(found) == MOST_FOR_ONE and None not in found and len(refused) == 20 - (MOST_FOR_ONE - 1)


@pytest.mark.parametrize(
    ("hangs", "n", "most", "other"),
    [
        ("444455556666", 4, MOST_FOR_ONE, "111122223333"),
        ("vault-auth:444455556666:jwt{}", 8, MOST_FOR_TENANT, "vault-auth:111122223333:jwt"),  # each mount has its own
    ],
    ids=["providers", "mounts"],
)
def test_row_131_one_tenants_issuers_that_hang_keep_no_key_from_another_tenant(hangs, n, most, other) -> None:
    """Whoever may create providers, or mounts, could have every other tenant's new keys go unread, for as long as he
    liked.
    """
    begun, go = threading.Semaphore(0), threading.Event()

    def read(issuer: str) -> bytes:
        if issuer == URL:
            return key_set(ONE)
        begun.release()
        assert go.wait(60)
        raise Unavailable("no answer")

    keys = KeySets(read, FakeClock().monotonic)

    def hang(number: int) -> None:
        with pytest.raises(Unavailable):
            keys.find(f"https://{number}.example", "one", "ES256", anywhere, tenant=hangs.format(number))

    hanging = [threading.Thread(target=hang, args=(number,)) for number in range(n)]
    for thread in hanging:
        thread.start()
    assert all(begun.acquire(timeout=60) for _ in range(most))
    try:
        assert keys.find(URL, "one", "ES256", anywhere, tenant=other) is not None
    finally:
        go.set()
        for thread in hanging:
            thread.join(60)


def test_who_waits_for_other_machines_leaves_some_places_to_others() -> None:
    """One mount to the tenant's others, and all of the tenant's to those of other tenants."""
    few, held = Few(32), ExitStack()
    with held:

        def taken(mount: str, n: int = 0) -> int:
            with suppress(Unavailable):
                while True:
                    held.enter_context(few.one_of(mount))
                    n += 1
            return n

        assert [taken(f"vault-auth:1:{mount}") for mount in "abc"] == [16, 4, 0]
        assert [taken("vault-auth:2:a"), taken("vault-auth:3:a")] == [4, 0]
    with few.one_of("vault-auth:1:c"):
        pass


# --- where they come from


class Pages:
    """core.ports.Net in a dict: url -> a document; or a status; or why there is no answer."""

    def __init__(self, **pages: object) -> None:
        self.pages = {url: json.dumps(page).encode() if isinstance(page, dict) else page for url, page in pages.items()}
        self.asked: list[tuple[str, Terms]] = []

    def request(
        self, method: str, url: str, *, headers: object, most: int, timeout_for: float, terms: Terms
    ) -> tuple[int, bytes]:
        assert method == "GET" and 0 < most <= 128 * 1024 and 0 < timeout_for <= 10
        assert {name for name, _ in headers} == {"Accept", "User-Agent"}
        self.asked.append((url, terms))
        page = self.pages.get(url, Trouble.UNREACHABLE)
        if isinstance(page, Trouble):
            raise Unreached(page)
        return (page, b"{}") if isinstance(page, int) else (200, page)


KEYS, WELL_KNOWN = "https://keys.example/jwks", "/.well-known/openid-configuration"


def site(issuer: str = URL, **changes: object) -> Pages:
    said = {"issuer": issuer, "jwks_uri": KEYS, "response_types_supported": ["id_token"]} | changes
    return Pages(**{issuer.rstrip("/") + WELL_KNOWN: said, KEYS: key_set(ONE)})


def test_an_issuer_says_where_its_keys_are() -> None:
    web = site()
    assert key_source({}, web)(URL) == key_set(ONE)
    assert web.asked == [(URL + WELL_KNOWN, PUBLIC), (KEYS, PUBLIC)]
    assert key_source({}, site("https://a.example/"))("https://a.example/") == key_set(ONE)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": URL + "/"},
        {"issuer": "https://evil.example"},
        {"jwks_uri": None},
        {"jwks_uri": "https://nobody.example"},
        {"issuer": 7},
    ],
)
def test_a_configuration_that_is_not_the_issuers(changes) -> None:
    web = site()
    web.pages[URL + WELL_KNOWN] = json.dumps(json.loads(web.pages[URL + WELL_KNOWN]) | changes).encode()
    with pytest.raises(Unavailable):
        key_source({}, web)(URL)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"issuer":"a","issuer":"b"}', b'{"issuer":"a"}'])
def test_a_configuration_that_is_none(body) -> None:
    web = site()
    web.pages[URL + WELL_KNOWN] = body
    with pytest.raises(Unavailable):
        key_source({}, web)(URL)


@pytest.mark.parametrize("status", [204, 206, 301, 302, 307, 404, 500])
@pytest.mark.parametrize("url", [URL + WELL_KNOWN, KEYS])
def test_nothing_but_a_200_is_a_document(status, url) -> None:
    web = site()
    web.pages[url] = status
    with pytest.raises(Unavailable, match="not the document"):
        key_source({}, web)(URL)


@pytest.mark.parametrize("trouble", [Trouble.UNREACHABLE, Trouble.INSECURE, Trouble.LATE, Trouble.MALFORMED])
def test_the_log_is_told_why_there_is_no_answer(trouble) -> None:
    web = site()
    web.pages[KEYS] = trouble
    with pytest.raises(Unavailable, match=trouble.value):
        key_source({}, web)(URL)


def test_an_issuer_may_be_allowed_more_by_name(tmp_path) -> None:
    """A Kubernetes cluster: its own authority, a private address. Nobody else is allowed that."""
    chosen = Issuer(certificates=f"file:{tmp_path / 'ca.pem'}", private=True)
    web = site()
    key_source({URL: chosen}, web)(URL)
    assert {terms for _, terms in web.asked} == {Terms(private=True, certificates=tmp_path / "ca.pem")}
    other = site("https://other.example")
    key_source({URL: chosen}, other)("https://other.example")
    assert {terms for _, terms in other.asked} == {PUBLIC}


def test_keys_in_a_file_ask_nobody(tmp_path) -> None:
    file, web = tmp_path / "jwks.json", Pages()
    source = key_source({URL: Issuer(keys=f"file:{file}")}, web)
    with pytest.raises(Unavailable, match="cannot be read"):
        source(URL)
    file.write_bytes(key_set(ONE))
    assert source(URL) == key_set(ONE) and web.asked == []
    house = KeySets(source, FakeClock().monotonic)
    assert house.find(URL, "one", "ES256", anywhere) is not None


@pytest.mark.parametrize(
    "issuers",
    [
        {"http://a.example": Issuer()},
        {"a.example": Issuer()},
        {URL: Issuer(keys="/etc/jwks")},
        {URL: Issuer(certificates="env:CA")},
    ],
)
def test_settings_that_mean_nothing_are_refused_at_the_start(issuers) -> None:
    with pytest.raises(InvalidArgument):
        key_source(issuers, Pages())


def test_how_it_stands_in_the_configuration(tmp_path) -> None:
    issuers = {URL: Issuer(keys="file:/etc/jwks.json"), "https://b.example": Issuer(private=True)}
    config.write(tmp_path, Config(issuers=issuers))
    assert config.read(tmp_path).issuers == issuers
    (tmp_path / config.FILE_NAME).write_text('[issuers."https://b.example"]\nprivat = true\n')
    with pytest.raises(InvalidArgument):
        config.read(tmp_path)
