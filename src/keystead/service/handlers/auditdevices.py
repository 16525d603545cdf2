"""Audit devices as they are enabled: what of their options is kept. OpenBao, builtin/audit; core.places.

No request waits for a device and none is tried when it is enabled: it follows the log, or falls behind (app.devices).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from keystead.core import operations as ops
from keystead.core.entities import AuditDevice, DeviceType, Topic
from keystead.core.errors import InvalidArgument
from keystead.core.places import SOCKETS, SYSLOG, Places, place
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act
from keystead.wire import Malformed
from keystead.wire.vault import scalars

Options = Mapping[str, str]
Facts = dict[str, Any]

_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_OCTAL: Final = re.compile(r"[0-7]{1,10}")
_TAG: Final = re.compile(r"[A-Za-z0-9_./-]{1,32}")  # RFC 3164 §4.1.3
STREAMS: Final = frozenset({"stdout", "discard"})
MOST_PREFIX: Final = 256  # characters
LONGEST: Final = 60  # seconds
BY_OTHERS, EXECUTABLE, ALL = 0o022, 0o111, 0o777
INFO: Final = 6  # RFC 3164 §4.1.1
FACILITIES: Final[Mapping[str, int]] = {
    **{
        name: n
        for n, name in enumerate(("KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON"))
    },
    "AUTHPRIV": 10,
    "FTP": 11,
    **{f"LOCAL{n}": 16 + n for n in range(8)},
}
"""RFC 3164 §4.1.1, Table 1, as OpenBao names them."""
_OLD_FORMAT = (
    'jsonx formatting has been removed, consider switching to json by omitting "format" or setting it to "json"'
)


def made(op: ops.WriteSetting, tenant: HeldTenant, act: Act) -> AuditDevice:
    """Raises InvalidArgument."""
    if tenant.setting(Topic.AUDIT_DEVICE, op.name) is not None:
        raise InvalidArgument("path already in use", "path")
    kind, options = DeviceType(op.given["type"]), dict(op.given["options"])
    taken, read = KINDS[kind]
    for name in options:
        if name not in taken and name not in COMMON:
            raise InvalidArgument(f"{name} of an audit device is not offered", name)
    return AuditDevice(
        type=kind,
        salt=act.entropy(32).hex(),
        options=options,
        description=op.given["description"],
        local=op.given["local"],
        **read(options, act.places),
        **_common(options),
    )


def _common(options: Options) -> Facts:
    form = options.get("format", "json")
    if form != "json":
        raise InvalidArgument(_OLD_FORMAT if form == "jsonx" else f'unknown format type "{form}"', "format")
    if _flag(options, "log_raw", usual=False):  # there is nothing in the log that would be raw
        raise InvalidArgument("log_raw of an audit device is not offered", "log_raw")
    _flag(options, "elide_list_responses", usual=False)  # a line has no answers, so of none too much
    prefix = options.get("prefix", "")
    if len(prefix) > MOST_PREFIX or not (prefix.isprintable() and prefix.isascii()):
        raise InvalidArgument(f"prefix has at most {MOST_PREFIX} printable ASCII characters", "prefix")
    return {"prefix": prefix, "plain_accessors": not _flag(options, "hmac_accessor", usual=True)}


def _flag(options: Options, name: str, *, usual: bool) -> bool:
    if name not in options:
        return usual
    if (found := scalars.boolean(options[name])) is None:
        raise InvalidArgument(f'strconv.ParseBool: parsing "{options[name]}": invalid syntax', name)
    return found


# --- files


def _file(options: Options, places: Places) -> Facts:
    given = options.get("file_path") or options.get("path") or ""
    return {"path": _path(given, places.directories), "mode": _mode(options.get("mode", "0600"))}


def _path(given: str, directories: tuple[str, ...]) -> str:
    """A file right in one of the directories that the operator allows. Symbolic links are for whoever opens it."""
    if not given:
        raise InvalidArgument("file_path is required", "file_path")
    if given.lower() in STREAMS:
        raise InvalidArgument(f'file_path "{given}" is not offered', "file_path")
    if not directories:
        raise InvalidArgument("no directory is there for audit devices", "file_path")
    above, _, name = given.rpartition("/")
    if _FILE.fullmatch(name) is None or (above or directories[0]) not in directories:
        raise InvalidArgument("file_path is not in a directory that audit devices may be in", "file_path")
    return f"{above or directories[0]}/{name}"


def _mode(text: str) -> int | None:
    """None: it is left as it is. Nobody else gets to write, and nobody to execute."""
    if _OCTAL.fullmatch(text) is None:
        raise InvalidArgument(f'strconv.ParseUint: parsing "{text}": invalid syntax', "mode")
    bits = int(text, 8)
    if bits > ALL:
        raise InvalidArgument("file mode does not represent a regular file", "mode")
    if bits & BY_OTHERS:
        raise InvalidArgument("the mode of an audit device lets nobody but this server write", "mode")
    return bits & ~EXECUTABLE if bits else None


# --- sockets


def _socket(options: Options, places: Places) -> Facts:
    if "address" not in options:
        raise InvalidArgument("address is required", "address")
    kind = options.get("socket_type", "tcp")
    if kind not in SOCKETS:
        raise InvalidArgument(f'socket_type "{kind}" is not offered', "socket_type")
    where = place(kind, options["address"])
    if where not in places.sockets:
        raise InvalidArgument("address is none that the operator allows audit devices", "address")
    return {"path": where, "patience": _patience(options.get("write_timeout", "2s"))}


def _patience(text: str) -> float:
    try:
        found = scalars.second_nanoseconds(text) / 1e9
    except Malformed as error:
        raise InvalidArgument(str(error), "write_timeout") from None
    if not 0 < found <= LONGEST:
        raise InvalidArgument(f"write_timeout is more than 0 and at most {LONGEST} seconds", "write_timeout")
    return found


# --- syslog


def _syslog(options: Options, places: Places) -> Facts:
    facility, tag = options.get("facility", "AUTH"), options.get("tag", "vault")
    if facility.upper() not in FACILITIES:
        raise InvalidArgument(f"invalid syslog facility: {facility}", "facility")
    if _TAG.fullmatch(tag) is None:
        raise InvalidArgument("tag has 1 to 32 letters, digits and _./-", "tag")
    if places.agent is None:
        raise InvalidArgument("syslog is nothing that the operator allows audit devices", "type")
    return {"path": SYSLOG, "priority": FACILITIES[facility.upper()] * 8 + INFO, "tag": tag}


COMMON: Final = frozenset({"format", "hmac_accessor", "log_raw", "elide_list_responses", "prefix"})
KINDS: Final[Mapping[DeviceType, tuple[frozenset[str], Callable[[Options, Places], Facts]]]] = {
    DeviceType.FILE: (frozenset({"file_path", "path", "mode"}), _file),
    DeviceType.SOCKET: (frozenset({"address", "socket_type", "write_timeout"}), _socket),
    DeviceType.SYSLOG: (frozenset({"facility", "tag"}), _syslog),
}
"""Options of its own, and what is kept of them."""
