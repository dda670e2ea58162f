"""The cluster's life cycle on the controller: `python -m ops up|down|status ...`, which the Makefile's targets call.

Modules import only from lines below their own (`make lint` checks it):

    __main__, doctor                         what make runs
    targets                                  which cluster a command is for
    preflight                                refuses what can't work, before anything changes
    audit, aws, dev, molecule, try_host, up, verify
    backups, changes, down, renew, restore, status
    backup_host, commands, fetching
    ansible, faults, fleet, hosts, local_cluster, run, stores
    image, inventory
    source                                   where MongoDB's packages come from
    mirror
    packages
    artifacts, containers, environments, processes, rotation, ssh
    podman, secrets, settings
    certificates, children, confirm, locks, progress, system, topology, vault
    errors, paths

In `aws`:

    cluster, down                            the commands
    fleet
    hosts
    state
    account, backups, costs
    instances, leftovers, terraform
    tfvars

`doctor`, `preflight` and what they import use the standard library only: they run before anything is installed.
"""
