"""Settings: the part of mongos' command line and YAML configuration file that the stand-in supports."""

import argparse
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from standin import MONGODB_VERSION, VERSION
from standin.tls import Mode, Tls, TlsError, TlsSettings

DEFAULT_PORT = 27017

# Options of mongos that have no effect here. Options that aren't listed are refused, as by mongos.
IGNORED = frozenset(
    {
        "net.maxIncomingConnections",
        "net.unixDomainSocket.enabled",
        "net.unixDomainSocket.pathPrefix",
        "net.unixDomainSocket.filePermissions",
        "processManagement.timeZoneInfo",
        "security.clusterAuthMode",
        "security.javascriptEnabled",
        "systemLog.destination",
        "systemLog.logAppend",
        "systemLog.logRotate",
        "systemLog.quiet",
        "systemLog.timeStampFormat",
        "systemLog.verbosity",
    }
)
USED = frozenset(
    {
        "net.bindIp",
        "net.port",
        "net.tls.CAFile",
        "net.tls.allowConnectionsWithoutCertificates",
        "net.tls.certificateKeyFile",
        "net.tls.clusterFile",
        "net.tls.disabledProtocols",
        "net.tls.mode",
        "processManagement.pidFilePath",
        "security.keyFile",
        "sharding.configDB",
        "systemLog.path",
    }
)
PROTOCOLS = frozenset({"TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"})  # the first two are always disabled
DESCRIPTION = f"""\
The Film Library's stand-in for mongos. It is NOT MongoDB's router.
It routes to real config servers and shards of MongoDB {MONGODB_VERSION}, for tests and for local clusters on machines
that can't get MongoDB's packages."""
VERSION_TEXT = f"mongos stand-in v{VERSION} (Film Library; NOT MongoDB's router; for MongoDB {MONGODB_VERSION} servers)"


class SettingsError(Exception):
    """The configuration is incomplete or wrong; the message is for its author."""


@dataclass(frozen=True)
class Settings:
    """`keys` are the cluster's key file's, the first of which is its own, without white space."""

    config_set: str
    config_hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    port: int
    keys: tuple[str, ...]
    log_path: Path | None
    pid_path: Path | None
    tls: Tls


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from the command line and the file that it names; the command line wins.

    Raises SettingsError; SystemExit for --help, --version and unknown options (status 2).
    """
    parser = argparse.ArgumentParser(
        prog="mongos", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-f", "--config", type=Path, metavar="FILE", help="configuration file (YAML)")
    parser.add_argument("--configdb", metavar="SET/HOST:PORT,...", help="config servers")
    parser.add_argument("--port", type=int, help=f"port to listen on (default {DEFAULT_PORT})")
    parser.add_argument("--bind_ip", metavar="ADDRESSES", help="comma list (default localhost)")
    parser.add_argument("--keyFile", dest="key_file", type=Path, help="the cluster's key file; required")
    parser.add_argument("--noscripting", action="store_true", help="without effect: it never runs JavaScript")
    parser.add_argument("--logpath", type=Path, help="log file (default: standard error)")
    parser.add_argument("--pidfilepath", type=Path, help="file to write the process id to")
    parser.add_argument(
        "--tlsMode", dest="tls_mode", metavar="MODE", help="disabled, allowTLS, preferTLS or requireTLS"
    )
    parser.add_argument("--tlsCertificateKeyFile", dest="certificate", metavar="FILE", help="certificate and its key")
    parser.add_argument("--tlsCAFile", dest="ca", metavar="FILE", help="the authority of all certificates")
    parser.add_argument(
        "--tlsAllowConnectionsWithoutCertificates", dest="no_certificate", action="store_true", help="from clients"
    )
    parser.add_argument("--version", action="version", version=VERSION_TEXT)
    options = parser.parse_args(arguments)
    file = _flatten(_read(options.config)) if options.config else {}
    _refuse_unknown(file)

    key_file = options.key_file or file.get("security.keyFile")
    if not key_file:
        raise SettingsError("no key file (security.keyFile or --keyFile); the stand-in never runs without one")
    config_set, config_hosts = _config_servers(options.configdb or file.get("sharding.configDB"))
    bind = options.bind_ip or file.get("net.bindIp") or "localhost"
    return Settings(
        config_set=config_set,
        config_hosts=config_hosts,
        addresses=tuple(address.strip() for address in str(bind).split(",")),
        port=_port(options.port or file.get("net.port") or DEFAULT_PORT),
        keys=read_keys(Path(key_file)),
        log_path=_path(options.logpath or file.get("systemLog.path")),
        pid_path=_path(options.pidfilepath or file.get("processManagement.pidFilePath")),
        tls=_tls(options, {name.removeprefix("net.tls."): value for name, value in file.items()}),
    )


def _tls(options: argparse.Namespace, file: Mapping[str, Any]) -> Tls:
    mode = str(options.tls_mode or file.get("mode") or Mode.DISABLED.value)
    protocols = frozenset(str(file.get("disabledProtocols") or "").replace(" ", "").split(",")) - {""}
    if unknown := protocols - PROTOCOLS:
        raise SettingsError(f"net.tls.disabledProtocols: {', '.join(sorted(unknown))} is not supported")
    try:
        anybody = options.no_certificate or file.get("allowConnectionsWithoutCertificates")
        settings = TlsSettings(
            mode=Mode(mode),
            certificate_key_file=_path(options.certificate or file.get("certificateKeyFile")),
            ca_file=_path(options.ca or file.get("CAFile")),
            cluster_file=_path(file.get("clusterFile")),
            clients_need_certificates=not anybody,
            disabled_protocols=protocols,
        )
        return Tls(settings)
    except ValueError as error:
        raise SettingsError(f"net.tls.mode: {mode!r} is none of {', '.join(known.value for known in Mode)}") from error
    except TlsError as error:
        raise SettingsError(f"net.tls: {error}") from error


def _path(value: Any) -> Path | None:
    return Path(value) if value else None


def _port(value: Any) -> int:
    if isinstance(value, int) and 0 < value < 65536:
        return value
    raise SettingsError(f"net.port: {value!r} is not a port number (1 to 65535)")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise SettingsError(f"{path} is not a configuration file; it must be a YAML mapping")
    return content


def _flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections to dotted names, as MongoDB's manual writes them."""
    flat: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _refuse_unknown(file: Mapping[str, Any]) -> None:
    if file.get("security.clusterAuthMode", "keyFile") != "keyFile":
        raise SettingsError("security.clusterAuthMode: the mongos stand-in supports keyFile only")
    unknown = sorted(
        name for name in file if name not in USED and name not in IGNORED and not name.startswith("setParameter.")
    )
    if unknown:
        raise SettingsError(f"unrecognized option: {', '.join(unknown)}")


def _config_servers(value: Any) -> tuple[str, tuple[str, ...]]:
    match = re.fullmatch(r"([^/,]+)/([^/]+)", str(value or ""))
    if match is None:
        raise SettingsError(f"sharding.configDB (--configdb) must be <replica set>/<host:port>,...; it is {value!r}")
    hosts = tuple(host.strip() for host in match[2].split(","))
    for host in hosts:
        if not re.fullmatch(r".+:\d+", host):
            raise SettingsError(f"sharding.configDB: {host!r} has no port")
    return match[1], hosts


def read_keys(path: Path) -> tuple[str, ...]:
    """A key file's keys: one as plain text, or up to two as a YAML list, while one replaces the other.

    Raises SettingsError unless it is as mongod requires: private, keys of 6 to 1024 base64 characters.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except OSError as error:
        raise SettingsError(f"key file {path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"key file {path}: permissions are too open ({stat.filemode(mode)})")
    listed = re.findall(r'^- "?([^"\n]*)"?$', text, re.MULTILINE)
    keys = tuple(listed) or ("".join(text.split()),)
    if len(keys) > 2:
        raise SettingsError(f"key file {path}: {len(keys)} keys; one or two are possible")
    if not all(re.fullmatch(r"[A-Za-z0-9+/=]{6,1024}", key) for key in keys):
        raise SettingsError(f"key file {path}: the key must be 6 to 1024 base64 characters")
    return keys
