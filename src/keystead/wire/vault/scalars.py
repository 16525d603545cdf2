"""Text forms of Go that Vault's clients see: base64, durations, times, integers, booleans. Go 1.24 standard library."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from datetime import UTC, datetime, timedelta

from keystead.wire import Malformed

# --- encoding/base64 StdEncoding: padding required, CR and LF skipped wherever they stand

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PAD, _BREAKS = 0x3D, b"\r\n"


def base64_decoded(text: str) -> bytes:
    """Raises Malformed with Go's words: "illegal base64 data at input byte N". Surplus bits are not looked at."""
    if len(text) % 4 == 0 and text[-3:] != "===":  # binascii takes "AAAA=" and "AAAA====" even when it is strict
        try:
            return a2b_base64(text, strict_mode=True)
        except ValueError:  # anything but the alphabet, breaks too
            pass
    raw = text.encode(errors="replace")
    kept = raw.translate(None, _BREAKS)
    if len(kept) % 4 == 0 and kept[-3:] != b"===":
        try:
            return a2b_base64(kept, strict_mode=True)
        except Error:
            pass
    raise Malformed(f"illegal base64 data at input byte {_offence(raw)}")


def base64_of(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()


def _offence(raw: bytes) -> int:
    """Where Go's decoder says that it stopped (CorruptInputError): quantum by quantum."""
    at = len(raw) - len(raw.lstrip(_ALPHABET + _BREAKS))
    quantum = len(raw[:at].translate(None, _BREAKS)) % 4
    if at == len(raw):
        return at - quantum
    return at if raw[at] != _PAD or quantum < 2 else _after_padding(raw, at + 1, quantum)


def _after_padding(raw: bytes, at: int, quantum: int) -> int:
    """`at` stands behind the first "=" of a quantum with two or three characters."""
    if quantum == 2:
        at = _past_breaks(raw, at)
        if at == len(raw):
            return at
        if raw[at] != _PAD:
            return at - 1
        at += 1
    return _past_breaks(raw, at)


def _past_breaks(raw: bytes, at: int) -> int:
    while at < len(raw) and raw[at] in _BREAKS:
        at += 1
    return at


# --- time.Duration and parseutil.ParseDurationSecond

_INTEGER = re.compile(r"[+-]?[0-9]+")
_ONE = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_MAX = 2**63 - 1
MAX_SECONDS = _MAX // 10**9
N_DURATION = 256  # characters of one
_OVERFLOW = "multiplication of durations resulted in overflow, one operand may be too large"


def seconds(text: str) -> int:
    """Whole seconds, towards zero, of "30", "30s", "1h30m", "1.5h", "2d"; "" is 0. Raises Malformed in Go's words."""
    nano = second_nanoseconds(text)
    return nano // 10**9 if nano >= 0 else -(-nano // 10**9)


def second_nanoseconds(text: str) -> int:
    """The same in nanoseconds."""
    if not text:
        return 0
    if (number := int64(text)) is not None:
        return _bounded(number) * 10**9
    if text[-1] == "d":
        days = int64(text[:-1])
        if days is None:
            raise Malformed(f"strconv.ParseInt: parsing {_strconv(text[:-1])}: invalid syntax")
        return _bounded(days * 86400) * 10**9
    return nanoseconds(text)


def int64(text: str) -> int | None:
    """strconv.ParseInt(text, 10, 64); None for anything else."""
    if not _INTEGER.fullmatch(text) or len(text) > 40:
        return None
    number = int(text)
    return number if -(2**63) <= number <= _MAX else None


def _bounded(number: int) -> int:
    if abs(number) > MAX_SECONDS:
        raise Malformed(_OVERFLOW)
    return number


def nanoseconds(text: str) -> int:
    """time.ParseDuration: a sign, then numbers each with a unit. Raises Malformed in Go's words."""
    invalid = Malformed(f"time: invalid duration {quoted(text)}")
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    if not rest:
        raise invalid
    if len(rest) > N_DURATION:  # which Go adds up, and each piece takes as long as a whole request
        raise invalid
    total = 0
    while rest:
        found = _ONE.match(rest)
        whole, fraction, unit = found.groups("") if found else ("", "", "")
        if not found or not (whole or fraction) or len(whole) > 19:
            raise invalid
        if not unit:
            raise Malformed(f"time: missing unit in duration {quoted(text)}")
        if (scale := _UNITS.get(unit)) is None:
            raise Malformed(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
        total += int(whole or 0) * scale + (int(fraction[:18]) * scale // 10 ** len(fraction[:18]) if fraction else 0)
        rest = rest[found.end() :]
    if total > _MAX:
        raise invalid
    return -total if text[0] == "-" else total


def _strconv(text: str) -> str:
    """strconv.Quote, as far as a text that prints needs it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted(text: str) -> str:
    """Go's quoting of a time string: bytes that are not printable ASCII as \\xNN."""
    pieces = [
        f"\\{chr(b)}" if b in b'"\\' else chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}"
        for b in text.encode(errors="replace")
    ]
    return f'"{"".join(pieces)}"'


def duration_text(nano: int) -> str:
    """time.Duration's String(): "768h0m0s", "1.5s", "100ms", "0s"."""
    if nano == 0:
        return "0s"
    sign, rest = ("-", -nano) if nano < 0 else ("", nano)
    if rest < 10**9:
        scale, unit = next((s, u) for s, u in ((10**6, "ms"), (10**3, "\u00b5s"), (1, "ns")) if rest >= s)
        return f"{sign}{_decimal(rest, scale)}{unit}"
    minutes, rest = divmod(rest, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{clock}{_decimal(rest, 10**9)}s"


def _decimal(number: int, scale: int) -> str:
    whole, part = divmod(number, scale)
    digits = f"{part:0{len(str(scale)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


# --- time.Time

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_UNIX_MIN, _UNIX_MAX = -62135596800, 253402300799  # years 1 to 9999


def time_text(at: datetime) -> str:
    """RFC3339Nano, UTC: as many digits of the fraction as are not zero."""
    text = (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat()[:-6]  # less "+00:00"
    return (text.rstrip("0") if at.microsecond else text) + "Z"


def time_read(text: str) -> datetime:
    """RFC 3339, or seconds since 1970; UTC, cut to microseconds. Raises Malformed in Go's words."""
    if found := _RFC3339.fullmatch(text):
        *date, fraction, sign, hours, minutes = found.groups()
        micro = int((fraction or "")[:6].ljust(6, "0"))
        try:
            year, month, day, hour, minute, second = map(int, date)
            at = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
            away = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            if away < timedelta(days=1) and int(minutes or 0) < 60:
                return at + away if sign == "-" else at - away
        except (ValueError, OverflowError):
            pass
    elif (number := int64(text)) is not None:
        return unix(number)
    raise Malformed("could not parse string as date and time")


def unix(number: int) -> datetime:
    """Seconds since 1970. Raises Malformed outside the years 1 to 9999."""
    if not _UNIX_MIN <= number <= _UNIX_MAX:
        raise Malformed("could not parse string as date and time")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


# --- strconv

TRUE, FALSE = frozenset({"1", "t", "T", "TRUE", "true", "True"}), frozenset({"0", "f", "F", "FALSE", "false", "False"})
_LITERAL = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_LEADING = re.compile(r"[+-]?0_?[0-7]")


def boolean(text: str) -> bool | None:
    """strconv.ParseBool; None for anything else."""
    return True if text in TRUE else False if text in FALSE else None


def integer(text: str) -> int:
    """strconv.ParseInt(text, 0, 64): Go's literals of bases 2, 8, 10 and 16. Raises Malformed in Go's words."""
    if not _LITERAL.fullmatch(text):
        raise Malformed("strconv.ParseInt: invalid syntax")
    number = None
    if len(text) <= 100:  # 64 binary digits with a prefix; an underscore between each two is nobody's number
        number = int(text.replace("_", ""), 8) if _LEADING.match(text) else int(text, 0)
    if number is None or not -(2**63) <= number <= _MAX:
        raise Malformed("strconv.ParseInt: value out of range")
    return number
