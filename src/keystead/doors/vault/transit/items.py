"""batch_input: many of one operation in one request. OpenBao, transit/path_encrypt.go: decodeBatchRequestItems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct

from keystead.core import errors as e
from keystead.core.operations import Aad, Derivation
from keystead.doors.vault.endpoint import Answer, Said
from keystead.doors.vault.transit.loose import EMPTY, kind_name, loosely, text, type_name, unfit, unparsed
from keystead.doors.vault.transit.names import PREFIX
from keystead.doors.vault.transit.words import Use, Words, words
from keystead.wire import Malformed
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.scalars import base64_decoded

UNEVEN = "context should be set either in all the request blocks or in none"
R = TypeVar("R")
A = ParamSpec("A")


class Item(Struct, frozen=True, kw_only=True):
    """One of many, or the only one."""

    plaintext: str = ""
    ciphertext: str = ""
    context: str = ""
    associated_data: str = ""
    reference: str = ""
    key_version: int = 0

    def __repr__(self) -> str:
        return "Item(…)"


def maps(raw: Any) -> list[Mapping[str, Any]]:
    """The items of a batch to encrypt or decrypt. Raises Said."""
    if not isinstance(raw, list):
        raise unparsed(f"source data must be an array or slice, got {type_name(raw)}")
    if not raw:
        raise Said(400, EMPTY)
    for n, one in enumerate(raw):
        if not isinstance(one, dict):
            raise unparsed(f"[{n}] expected a map, got '{type_name(one)}'")
    return raw


_MISSING = {"plaintext": "missing plaintext to encrypt", "ciphertext": "missing ciphertext to decrypt"}


def items(raw: Any, needed: str = "") -> list[Item]:
    """`needed`: the member that every item has. Raises Said."""
    wrong: list[str] = []
    found = [_item(n, one, needed, wrong) for n, one in enumerate(maps(raw))]
    if wrong:
        raise unparsed("\n".join(wrong))
    return found


def _item(n: int, given: Mapping[str, Any], needed: str, wrong: list[str]) -> Item:
    values: dict[str, Any] = {}
    for name in ("context", "ciphertext", "plaintext", "key_version", "associated_data", "reference"):
        value = given.get(name)
        if value is None:
            if name == needed and name not in given:
                wrong.append(f"'[{n}].{name}' {_MISSING[name]}")
        elif name == "key_version":
            if isinstance(value, int) and not isinstance(value, bool):
                values[name] = value
            else:
                wrong.append(f"'[{n}].{name}' expected type 'int', got unconvertible type '{type_name(value)}'")
        elif isinstance(value, str):
            values[name] = value
        else:
            wrong.append(f"'[{n}].{name}' expected type 'string', got unconvertible type '{type_name(value)}'")
    return Item(**values)


_TEXTS = ("context", "ciphertext", "plaintext", "associated_data", "reference")


def loose_items(raw: Any) -> list[Item]:
    """Those of a batch to rewrap, which OpenBao reads more loosely than those to encrypt. Raises Said."""

    def read(n: int, one: Any, wrong: list[str]) -> Item:
        if not isinstance(one, dict | None):
            wrong.append(f"'[{n}]' expected a map or struct, got \"{kind_name(one)}\"")
            return Item()
        given = one or {}
        values: dict[str, Any] = {
            name: text(given[name], f"[{n}].{name}", wrong) for name in _TEXTS if given.get(name) is not None
        }
        version = given.get("key_version")
        if version is not None:
            values["key_version"] = version
            if not isinstance(version, int) or isinstance(version, bool):
                wrong.append(unfit(f"[{n}].key_version", "int", version))
        return Item(**values)

    return loosely(raw, read)


def even(found: Sequence[Item]) -> None:
    """Raises Said where some name a context and others none."""
    if len({bool(one.context) for one in found}) > 1:
        raise Said(400, UNEVEN)


def bound(context: str, beside: str) -> Aad:
    """What a ciphertext is bound to: a `context`, and `associated_data`. Raises Refusal."""
    if not context and not beside:
        return None
    under = decoded(context)
    try:
        data = base64_decoded(beside)
    except Malformed as error:
        text = f"unable to get associated_data/additional_data from factory[0]: {error}"
        raise Refusal(Words(text, ours=True)) from None
    return Derivation(under, data)


class Refusal(Exception):
    """An item that comes to nothing; args: its Words."""

    @property
    def words(self) -> Words:
        found: Words = self.args[0]
        return found


def decoded(text: str, *, before: str = "", instead: str = "") -> bytes:
    """Raises Refusal, in Go's words with `before` before them, or in those of `instead`."""
    try:
        return base64_decoded(text)
    except Malformed as error:
        raise Refusal(Words(instead or f"{before}{error}")) from None


def parted(
    text: str, noun: str, *, undecodable: str, decode: Callable[[str], bytes] = base64_decoded
) -> tuple[int, bytes]:
    """(version, rest) of "vault:v<version>:<rest>". Raises Refusal. Version 0 was the first, once."""
    if not text.startswith(PREFIX):
        raise Refusal(Words(f"invalid {noun}: no prefix"))
    number, colon, rest = text[len(PREFIX) :].partition(":")
    if not colon:
        raise Refusal(Words(f"invalid {noun}: wrong number of fields"))
    if not number.removeprefix("-").removeprefix("+").isdecimal() or not number.isascii() or len(number) > 18:
        raise Refusal(Words(f"invalid {noun}: version number could not be decoded"))
    try:
        return int(number), decode(rest)
    except Malformed as error:
        raise Refusal(Words(undecodable.format(error=error))) from None


# --- many at once


def run_each(
    found: Sequence[R],
    prepare: Callable[[R], Any],
    perform: Callable[[tuple[Any, ...]], Sequence[Any]],
    use: Callable[[Any], Use],
) -> list[Any]:
    """For each an answer of `perform`, or the Words of its refusal. `use`: how an operation is spoken of.

    Performed even where nothing is left to do: whoever may not ask is told so, and it is on record.
    """
    results: list[Any] = []
    ready: list[tuple[int, Any]] = []
    for n, one in enumerate(found):
        try:
            ready.append((n, prepare(one)))
            results.append(None)
        except Refusal as refusal:
            results.append(refusal.words)
    for (n, op), answer in zip(ready, perform(tuple(op for _, op in ready)), strict=True):
        results[n] = _worded(answer, use(op), n) if isinstance(answer, e.KeysteadError) else answer
    return results


def _worded(error: e.KeysteadError, use: Use, index: int) -> Words:
    return words(error, use, index) or Words(str(error))


def many(
    found: Sequence[R],
    prepare: Callable[[R], Any],
    perform: Callable[[tuple[Any, ...]], Sequence[Any]],
    told: Callable[[Any], dict[str, Any]],
    use: Use,
    **always: Any,
) -> dict[str, Any]:
    """The answer where a refused item changes nothing about the status. `always`: what its result has all the same.

    Raises WrongUsage: a key that cannot do it can do none of them.
    """
    results = run_each(found, prepare, lambda ready: _able(perform(ready)), lambda _: use)
    return {
        "batch_results": [
            {
                **always,
                **({"error": done.text} if isinstance(done, Words) else told(done)),
                "reference": one.reference if isinstance(one, Item) else one.get("reference", ""),  # type: ignore[attr-defined]  # items are an Item or a mapping
            }
            for done, one in zip(results, found, strict=True)
        ]
    }


def _able(answers: Sequence[Any]) -> Sequence[Any]:
    for one in answers:
        if isinstance(one, e.WrongUsage):
            one.recorded = True  # as a refused item of the batch
            raise one
    return answers


def batch(results: Sequence[Mapping[str, Any]], refusals: Sequence[Words | None], partial: int | None) -> Answer:
    """The answer: 400 as soon as one item is refused, unless the request says another status for some."""
    status, remarks = 200, ""
    wrong = [one for one in refusals if one is not None]
    if wrong:
        status = 400 if any(not one.ours for one in wrong) else 500
        if partial is not None and len(wrong) < len(refusals):
            if 200 <= partial <= 599:  # what is below is no final answer (RFC 9110 §15.2)
                status = partial
            else:
                text = "invalid HTTP response code override from partial_failure_response_code, reverting to"
                remarks = f"{text} {status}"
    return Answer(data={"batch_results": list(results)}, status=status, warnings=(remarks,) if remarks else ())


def single(run: Callable[A, R], *args: A.args, **more: A.kwargs) -> R:
    """What `run` comes to. Raises Said for a Refusal."""
    try:
        return run(*args, **more)
    except Refusal as refusal:
        found = refusal.words
        raise Said(500 if found.ours else 400, multierror(found.text) if found.ours else found.text) from None
