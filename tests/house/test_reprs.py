"""No secret is in any repr: canaries in every field of every Struct there is."""

import importlib
import pickle
import pkgutil
from types import ModuleType

import msgspec
import pytest

import keystead
from keystead.app.layout import SavedCredentials
from keystead.app.workers import Orders
from keystead.core.entities import Credential, Kind
from keystead.core.sensitive import Sensitive
from keystead.doors.control.codec import ShownOnce
from keystead.kit import Message

CANARY = b"canary-4f2b9c"
ROOMS = (
    "core",
    "wire",
    "kit",
    "doors",
    "service",
    "app",
    "cli",
    "crypto",
    "seals",
    "slots",
    "providers",
    "stores",
    "cryptoki",
    "tpm",
    "entropy",
)


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(keystead.__path__, "keystead.")
    return [importlib.import_module(one.name) for one in found if one.name.split(".")[1] in ROOMS]


def structs() -> list[type[msgspec.Struct]]:
    kinds = {
        kind
        for module in modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__.startswith("keystead.")
    }
    return sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


STRUCTS = structs()
NO_SECRETS = {
    "DataKeyPair",  # private_key_ciphertext
    "Granted",  # a grant token: not a secret, as AWS has them (KMS Developer Guide, "Grant token")
    "Hsm",  # token: its label
    "ManagedKey",  # token_label
    "Tls",  # private_key: a reference
}
SECRET_WORDS = ("secret", "passphrase", "offered", "unseal", "plaintext", "material", "token", "private")


def is_secret(name: str) -> bool:
    return any(word in name for word in SECRET_WORDS)


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: f"{kind.__module__[9:]}.{kind.__qualname__}")
def test_no_secret_is_in_any_repr(kind) -> None:
    """A Sensitive in any field shows nothing; a message of a door shows nothing of anything."""
    if kind.__repr__ is msgspec.Struct.__repr__:
        one = kind(**dict.fromkeys(kind.__struct_fields__, Sensitive(CANARY)))
        assert CANARY.decode() not in repr(one)
    elif issubclass(kind, Message):
        one = kind(**dict.fromkeys(kind.__struct_fields__, CANARY))
        assert repr(one) == f"{kind.__name__}({', '.join(kind.__struct_fields__)})"
    else:  # what it shows it names itself; of a field that is called a secret, nothing
        one = kind(**{name: CANARY if is_secret(name) else b"-" for name in kind.__struct_fields__})
        assert CANARY.decode() not in repr(one)


@pytest.mark.parametrize("kind", [Credential, SavedCredentials, Orders, ShownOnce])
def test_what_holds_a_secret_bare_does_not_print_it(kind) -> None:
    secret = {name for name in kind.__struct_fields__ if is_secret(name)}
    assert secret
    one = kind(**{name: CANARY.decode() if name in secret else "-" for name in kind.__struct_fields__})
    assert CANARY.decode() not in repr(one) + str(one)


def test_what_is_named_like_a_secret_is_one_of_those_that_are_looked_after() -> None:
    """A new Struct with such a field is a Message, holds a Sensitive, has a repr of its own, or is named here."""
    bare = {
        kind.__qualname__
        for kind in STRUCTS
        for name, hint in kind.__annotations__.items()
        if is_secret(name)
        and str(hint).split(" |")[0] in {"str", "bytes"}
        and not issubclass(kind, Message)
        and kind.__repr__ is msgspec.Struct.__repr__
    }
    assert bare == NO_SECRETS


def test_a_sensitive_is_not_shown_copied_or_encoded() -> None:
    one = Sensitive(CANARY)
    for shown in (repr(one), str(one), f"{one}", repr([one]), repr({"a": one})):
        assert CANARY.decode() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(one)
    with pytest.raises(TypeError):
        msgspec.json.encode(one)


def test_the_walk_has_found_what_there_is() -> None:
    assert len(STRUCTS) > 150
    assert {"Credential", "KeyVersion"} <= {kind.__qualname__ for kind in STRUCTS} and Kind
