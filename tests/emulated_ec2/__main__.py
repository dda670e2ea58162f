"""Runs an emulated EC2 until Ctrl-C: python -m tests.emulated_ec2 [--port PORT]"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.emulated_ec2.emulation import EmulatedEc2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.emulated_ec2", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the API's port on 127.0.0.1 (default: a free one)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with EmulatedEc2(arguments.port) as aws:
        print("\n".join(f"export {name}={value}" for name, value in aws.environment().items()), flush=True)
        print("# The emulated EC2 runs until Ctrl-C.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("# Removing it.", flush=True)


if __name__ == "__main__":
    main()
