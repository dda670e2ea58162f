"""Role `base`: names, time and tuning."""

from __future__ import annotations

from tests.deployed import Deployment, Inventory, Process

# MongoDB's production notes and operations checklist.
AT_LEAST = {"vm.max_map_count": 131060, "fs.file-max": 98000, "kernel.pid_max": 64000, "kernel.threads-max": 64000}
EXACTLY = {"vm.swappiness": 1, "net.ipv4.tcp_keepalive_time": 120}


def settings(text: str) -> dict[str, str]:
    """`name = value` lines of a configuration file."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def proc_file(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"


def test_is_named_as_in_the_inventory(deployment: Deployment, machine: str) -> None:
    """Now and after the next boot. A cloud names its machines after their addresses."""
    host = deployment.host(machine)
    assert (host.check_output("hostname"), host.check_output("cat /etc/hostname")) == (machine, machine)


def test_knows_every_host_by_name(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    for name in inventory.group("all"):
        found = deployment.host(machine).check_output("getent ahostsv4 %s", name).split()
        assert inventory.address(name) in found
        assert not any(address.startswith("127.") for address in found)


def test_kernel_parameters_are_set_at_boot(deployment: Deployment, machine: str) -> None:
    written = settings(deployment.host(machine).file("/etc/sysctl.d/90-mongodb.conf").content_string)
    assert {name: int(written[name]) for name in EXACTLY} == EXACTLY
    for name, least in AT_LEAST.items():
        # A minimum that the machine exceeds isn't written, because the boot would lower the value.
        own = deployment.host(machine).check_output("cat %s", proc_file(name))
        assert int(written.get(name, own)) >= least, name


def test_kernel_parameters_hold_now_where_the_machine_lets_them(deployment: Deployment, machine: str) -> None:
    """The role only skips values that root can't write here."""
    host = deployment.host(machine)
    for name, value in settings(host.file("/etc/sysctl.d/90-mongodb.conf").content_string).items():
        path = proc_file(name)
        now = host.run("cat %s", path)
        if now.rc == 0 and now.stdout.strip() != value:
            assert host.run("sh -c %s", f"echo {now.stdout.strip()} > {path}").rc != 0, f"{name} could be set"


def test_huge_pages_suit_the_version(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    """MongoDB 8.0's allocator uses them; they slow down older releases."""
    lines = deployment.host(machine).file("/etc/tmpfiles.d/mongodb.conf").content_string.splitlines()
    fields = [line.split() for line in lines if line.startswith("w")]
    values = {field[1].removeprefix("/sys/kernel/mm/transparent_hugepage/"): field[-1] for field in fields}
    if float(inventory.variables[machine]["mongodb_version"]) >= 8:
        assert (values["enabled"], values["defrag"]) == ("always", "defer+madvise")
    else:
        assert (values["enabled"], values["defrag"]) == ("never", "never")


def test_limits_of_the_database_user(deployment: Deployment, machine: str) -> None:
    limits = deployment.host(machine).file("/etc/security/limits.d/90-mongodb.conf").content_string
    wanted = {("nofile", "64000"), ("nproc", "64000"), ("memlock", "unlimited")}
    assert wanted <= {tuple(line.split()[2:]) for line in limits.splitlines() if line.startswith("mongodb ")}


def test_read_ahead_of_data_devices(deployment: Deployment, member: Process) -> None:
    """8 to 32 sectors of 512 bytes."""
    rules = deployment.host(member.host).file("/etc/udev/rules.d/90-mongodb.rules").content_string
    values = {int(rule.split('read_ahead_kb}="')[1].rstrip('"')) for rule in rules.splitlines() if "read_ahead" in rule}
    assert values <= set(range(4, 17))
    assert values


def test_time_is_kept(deployment: Deployment, machine: str) -> None:
    assert deployment.host(machine).service("chrony").is_enabled


def test_ssh_takes_keys_only(deployment: Deployment, machine: str) -> None:
    host = deployment.host(machine)
    effective = dict(line.split(" ", 1) for line in host.check_output("sshd -T").splitlines())
    assert effective["passwordauthentication"] == effective["kbdinteractiveauthentication"] == "no"
    assert effective["x11forwarding"] == effective["allowagentforwarding"] == effective["permittunnel"] == "no"
    assert effective["permitrootlogin"] in {"no", "without-password"}
    without_key = "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no"
    # testinfra takes ssh's exit code, 255, for a broken connection of its own.
    refused = host.run(f"{without_key} -o BatchMode=yes nobody@localhost true || true")
    assert "Permission denied (publickey)." in refused.stderr, "sshd offers something else, or hasn't read its settings"


def test_security_updates_are_installed_but_not_mongodbs(deployment: Deployment, machine: str) -> None:
    host = deployment.host(machine)
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        assert host.service(timer).is_enabled
        assert host.service(timer).is_running
    assert host.package("unattended-upgrades").is_installed
    settings = host.check_output("apt-config dump").splitlines()
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    assert 'Unattended-Upgrade::Package-Blacklist:: "mongodb-";' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
