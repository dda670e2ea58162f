"""The settings of a run, read from the environment variables that `make` passes on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from ops.topology import TOPOLOGIES, Host, plan

#: Environments on local hosts, with their subnets. `local` is for people, the others are for tests, so that no test
#: touches a cluster in use.
LOCAL_SUBNETS = {
    "local": "10.89.70.0/24",
    "molecule": "10.89.71.0/24",
    "test": "10.89.72.0/24",
    "try": "10.89.73.0/24",
}
ENVIRONMENTS = (*LOCAL_SUBNETS, "aws")

#: Release series that MongoDB still maintains and that the roles support.
OFFICIAL_VERSIONS = ("7.0", "8.0")
#: The offline mirror's: the mongod in the wheel.
OFFLINE_VERSIONS = ("6.0",)
SOURCES = ("auto", "official", "offline", "mirror")
#: With SOURCE=mirror: your own apt repository with MongoDB's packages.
APT_VARIABLES = ("APT_URI", "APT_SUITE", "APT_COMPONENT", "APT_KEY_FILE")

#: With ENV=aws: a jump host to the instances, as the user's own ssh knows it.
JUMP_VARIABLE = "SSH_JUMP"

#: Host names of the user app and of the admin app, besides the hosts' own names and addresses.
HOST_VARIABLES = ("FILM_LIBRARY_HOST", "FILM_LIBRARY_ADMIN_HOST")
#: An address for the warnings of Let's Encrypt, which then certifies these names.
EMAIL_VARIABLE = "FILM_LIBRARY_ACME_EMAIL"

MAX_SHARDS = 9  # ports and addresses are laid out for one digit
MEMBERS = (3, 5, 7)  # odd, so there is always a majority; MongoDB allows 7 voting members


class SettingsError(ValueError):
    """Settings aren't allowed or can't be met; `problems` has one line for each, with the allowed values.

    `partial` are the settings with a default for every bad value.
    """

    def __init__(self, problems: list[str], partial: Settings) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.partial = partial


@dataclass(frozen=True)
class Settings:
    """Validated settings. `mongodb_version` is "" for the source's default; `apt` has the values of APT_VARIABLES.

    `names` has those of HOST_VARIABLES, "" without one.
    """

    env: str
    topology: str
    shards: int
    members: int
    source: str
    mongodb_version: str
    subnet: IPv4Network
    apt: tuple[str, ...] = ("", "", "", "")
    names: tuple[str, str] = ("", "")
    acme_email: str = ""

    @property
    def hosts(self) -> list[Host]:
        return plan(self.topology, shards=self.shards, members=self.members, subnet=self.subnet)

    @property
    def mongods(self) -> int:
        """The number of mongod processes: one per member of each shard and of the config servers."""
        return (self.shards + 1) * self.members

    @classmethod
    def read(cls, variables: Mapping[str, str], *, allow_single_member: bool = False) -> Settings:
        """The settings in ENV, TOPOLOGY, SHARDS, MEMBERS, SOURCE, MONGODB_VERSION, SUBNET and the variables above.

        An empty variable counts as unset. `allow_single_member` is for tests of single hosts.
        Raises SettingsError with every problem at once.
        """
        reader = _Reader(variables)
        env = reader.choice("ENV", "local", ENVIRONMENTS)
        settings = cls(
            env=env,
            topology=reader.choice("TOPOLOGY", "compact", TOPOLOGIES),
            shards=reader.number("SHARDS", 2, range(1, MAX_SHARDS + 1)),
            members=reader.number("MEMBERS", 3, (1, *MEMBERS) if allow_single_member else MEMBERS),
            source=reader.choice("SOURCE", "auto", SOURCES),
            mongodb_version=reader.choice("MONGODB_VERSION", "", ("", *OFFLINE_VERSIONS, *OFFICIAL_VERSIONS)),
            subnet=reader.subnet("SUBNET", LOCAL_SUBNETS.get(env, LOCAL_SUBNETS["local"])),
            apt=tuple(reader.text(name) for name in APT_VARIABLES),
            names=reader.host_names(*HOST_VARIABLES),
            acme_email=reader.text(EMAIL_VARIABLE),
        )
        reader.check_jump_host()
        reader.check_acme(settings)
        reader.check_source(settings)
        if reader.problems:
            raise SettingsError(reader.problems, settings)
        return settings


class _Reader:
    """Reads variables and collects all problems instead of stopping at the first."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []

    def _get(self, name: str, default: str) -> str:
        return self._variables.get(name, "").strip() or default

    def _refuse(self, name: str, value: str, allowed: str) -> None:
        self.problems.append(f"{name}={value}: must be {allowed}")

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._get(name, default)
        if value not in allowed:
            self._refuse(name, value, "one of " + ", ".join(filter(None, allowed)))
            return default
        return value

    def number(self, name: str, default: int, allowed: range | tuple[int, ...]) -> int:
        value = self._get(name, str(default))
        if not value.isdecimal() or int(value) not in allowed:
            self._refuse(name, value, "one of " + ", ".join(map(str, allowed)))
            return default
        return int(value)

    def subnet(self, name: str, default: str) -> IPv4Network:
        value = self._get(name, default)
        try:
            network = IPv4Network(value)
        except ValueError:
            network = None
        if network is None or network.prefixlen != 24 or not network.is_private:
            self._refuse(name, value, "a private IPv4 /24 such as 10.89.70.0/24")
            return IPv4Network(default)
        return network

    def text(self, name: str) -> str:
        return self._get(name, "")

    def host_names(self, user: str, admin: str) -> tuple[str, str]:
        names = self._get(user, "").lower(), self._get(admin, "").lower()
        for variable, name in zip((user, admin), names, strict=True):
            label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
            if name and (len(name) > 253 or not re.fullmatch(rf"({label}\.)+[a-z]{label}", name)):
                self._refuse(variable, name, "a host name such as films.example.org")
        if names[0] and names[0] == names[1]:
            self._refuse(admin, names[1], f"another name than {user}, or browsers would send it that app's cookies")
        return names

    def check_acme(self, settings: Settings) -> None:
        email = settings.acme_email
        if email and not re.fullmatch(r"[\w.+-]+@[\w.-]+\.\w+", email):
            self._refuse(EMAIL_VARIABLE, email, "an e-mail address")
        elif email and not any(settings.names):
            self._refuse(EMAIL_VARIABLE, email, f"set with {' or '.join(HOST_VARIABLES)}, the names to certify")

    def check_jump_host(self) -> None:
        value = self._get(JUMP_VARIABLE, "")
        if value and not re.fullmatch(r"(ssh://)?[\w\[][\w.@:\[\]-]*", value):
            self._refuse(JUMP_VARIABLE, value, "a host for ssh: a name, user@name or ssh://user@name:port")

    def check_source(self, settings: Settings) -> None:
        version, source = settings.mongodb_version, settings.source
        if source == "official" and version in OFFLINE_VERSIONS:
            self._refuse("MONGODB_VERSION", version, f"one of {', '.join(OFFICIAL_VERSIONS)} with SOURCE=official")
        if source == "offline" and version in OFFICIAL_VERSIONS:
            self._refuse("MONGODB_VERSION", version, f"{', '.join(OFFLINE_VERSIONS)} with SOURCE=offline")
        if source == "offline" and settings.env == "aws":
            self._refuse(
                "SOURCE", source, "auto, official or mirror with ENV=aws: the offline mirror is on this machine"
            )
        if source == "mirror":
            given = dict(zip(APT_VARIABLES, settings.apt, strict=True)) | {"MONGODB_VERSION": version}
            for name, value in given.items():
                if not value:
                    self._refuse(name, value, "set with SOURCE=mirror, to say which apt repository")
        elif any(settings.apt):
            self._refuse("SOURCE", source, f"mirror when {' or '.join(APT_VARIABLES)} is set")
