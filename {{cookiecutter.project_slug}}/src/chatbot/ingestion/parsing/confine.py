"""Takes rights away from the process that reads a file, for good: what its parser is made to do reaches nothing.

On Linux (x86-64 and arm64): no socket; no file but programs and libraries, which it may only read; no signal to another
process, no look into its memory, no program but Tesseract. Where it was started by root, and nobody in particular may
read what Python imports, it becomes nobody. On other systems the limits on memory, time and files written are all.

seccomp: https://docs.kernel.org/userspace-api/seccomp_filter.html, Landlock: https://docs.kernel.org/userspace-api/landlock.html.
Both are asked of the kernel by their numbers, since no library that wraps them is kept for both machines. What a kernel
does not offer is left out, and told: `confine` returns what holds.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from glob import glob
from pathlib import Path

NOBODY = 65534
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
SECCOMP_MODE_FILTER = 2
ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE = 0x00050000 | 1  # SECCOMP_RET_ERRNO, EPERM
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: load a word, jump if equal, return
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FORBIDDEN = {
    # socket, connect, bind, ptrace, process_vm_readv and writev, kill, tkill, pidfd_open, pidfd_getfd, io_uring_setup
    # unshare, setns, bpf, perf_event_open, keyctl, add_key, request_key
    # setpgid, setsid, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal
    "x86_64": (
        *(41, 42, 49, 101, 310, 311, 62, 200, 434, 438, 425),
        *(272, 308, 321, 298, 250, 248, 249),
        *(109, 112, 129, 297, 424),
    ),
    "aarch64": (
        *(198, 203, 200, 117, 270, 271, 129, 130, 434, 438, 425),
        *(97, 268, 280, 241, 219, 217, 218),
        *(154, 157, 138, 240, 424),
    ),
}
"""The numbers of the system calls that a parser needs for nothing, refused with « operation not permitted »."""
EXECUTE = {"x86_64": (59, 322), "aarch64": (221, 281)}
"""execve and execveat: refused, but where Landlock keeps to the programs that may run."""

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
FILES = (1 << 13) - 1  # every right of the first version: read, write, run, list, make, remove
RUN, READ_FILE, READ = 1 << 0, 1 << 2, 1 << 2 | 1 << 3  # run a program, read a file, that and list a folder
RIGHTS = {1: FILES, 2: FILES | 1 << 13, 3: FILES | 1 << 13 | 1 << 14}  # by version: refer, truncate
LOADERS = ("/lib/ld-*.so*", "/lib64/ld-*.so*")
"""What the kernel runs to run a program."""
SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")


def hide_from_children() -> None:
    """Keep this process's memory and environment, which hold secrets, from others of the same account."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            _prctl(PR_SET_DUMPABLE, 0)


def end_with_parent() -> None:
    """Be killed when the process that made this one is gone. Linux forgets it where `confine` changes the account."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind, in place of the first process of all."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            _prctl(PR_SET_CHILD_SUBREAPER, 1)


def confine(readable: Collection[str] = (), programs: Collection[str] = ()) -> list[str]:
    """Keep what was opened and imported, the folders `readable` and the `programs` that it may run, and nothing else.

    Returns the names of what holds now, of: account, privileges, files, calls.
    """
    holds = []
    if hasattr(os, "setgroups") and os.geteuid() == 0 and all(map(_open_to_all, (sys.prefix, *readable))):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        holds.append("account")
    if sys.platform != "linux":
        return holds
    steps: dict[str, Callable[[], None]] = {
        "privileges": lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1),
        "files": lambda: _landlock(readable, programs),
        "calls": lambda: _seccomp(may_run=bool(programs) and "files" in holds),
    }
    for name, step in steps.items():
        with suppress(OSError, AttributeError):
            step()
            holds.append(name)
    return holds


def _open_to_all(folder: str) -> bool:
    """Whether nobody in particular may read there: in a home that is closed, not even what Python imports."""
    path = Path(folder).resolve()
    return not path.exists() or all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _landlock(readable: Collection[str], programs: Collection[str]) -> None:
    """Rights over files: none but to read what programs are made of, and to run these."""
    version = _call(LANDLOCK_CREATE, None, 0, 1)
    handled = RIGHTS[min(version, max(RIGHTS))]
    ruleset = _call(LANDLOCK_CREATE, struct.pack("=Q", handled), 8, 0)
    try:
        for path in {*SYSTEM, sys.prefix, sys.base_prefix, *readable}:
            _let(ruleset, path, READ if Path(path).is_dir() else READ_FILE)
        for path in (*programs, *(found for pattern in LOADERS if programs for found in glob(pattern))):
            _let(ruleset, path, RUN | READ_FILE)
        _call(LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _let(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError):
        opened = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        try:
            _call(LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, opened), 0)
        finally:
            os.close(opened)


def _seccomp(may_run: bool) -> None:
    """Refuse FORBIDDEN; end a process that calls by the numbers of another machine."""
    machine = platform.machine()
    if machine not in AUDIT:
        raise OSError("no numbers for this machine")
    calls = FORBIDDEN[machine] + (() if may_run else EXECUTE[machine])
    program = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, AUDIT[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    for left, call in zip(range(len(calls), 0, -1), calls, strict=True):
        program.append((EQUAL, left, 0, call))
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)


def _prctl(option: int, *arguments: object) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    if _libc().prctl(option, *(ctypes.c_char_p(each) if isinstance(each, bytes) else each for each in padded)):
        raise OSError(ctypes.get_errno(), "prctl")


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
