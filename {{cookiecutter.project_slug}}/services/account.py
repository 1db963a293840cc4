"""Lets root start a server that refuses to be root: under an account of its own, in folders that stay closed to others.

The server may go where root may: a capability which it inherits, and which ends with it. So neither the project nor a
folder above it is opened to everybody, and no user is added to the machine.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from services.process import ServiceError

NOBODY = 65534
"""An account that has a name on every machine."""
NO_ONE_ELSE = 65533
"""A user number that systems leave free, so that no other program runs under it."""
CAPABILITY, BIT = "dac_override", 1
"""The right to pass what is closed, of those in capabilities(7). Containers have it too."""


def give(folder: Path, uid: int) -> None:
    """When this is root: make the folder and all in it that account's."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)


def command_prefix(folder: Path) -> list[str]:
    """What stands before a command so that it runs as the owner of `folder`: nothing, unless this is root.

    ServiceError where root has no such way.
    """
    if os.geteuid() != 0:
        return []
    setpriv, owner = shutil.which("setpriv"), folder.stat()
    if setpriv is None or not _held():
        raise ServiceError("PostgreSQL cannot be started by root on this machine: work as another user.")
    # Without the fix-up, access(2) would not count the capability of a user who is not root.
    rights = [f"--{kind}=-all,+{CAPABILITY}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    identity = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    return [setpriv, *identity, *rights, "--securebits=+no_setuid_fixup", "--"]


def _held() -> bool:
    """Whether this process has the capability to hand on; a system without capabilities has no such file."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return any(line.startswith("CapPrm:") and int(line.split()[1], 16) >> BIT & 1 for line in lines)
