"""Become another program that dies with the process that started it.

Run by path, with no import of ours: `python -I -S tether.py MODE SIGNAL USER PARENT command...`.
MODE is `kernel` (Linux: the kernel sends SIGNAL when the parent's forking thread ends) or the
number of a pipe's read end that the parent keeps open (anywhere else). USER is a uid or `-`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Drop privileges, tie this process to its parent, and become the command."""
    mode, number, user, parent, *command = arguments
    if user != "-":
        drop_privileges(int(user))
    if mode != "kernel":
        sys.exit(hold(command, int(mode)))
    # After the change of user, which clears the tie.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
    # The parent may have died before the tie was made: then nobody would send the signal.
    if os.getppid() == int(parent):
        os.execv(command[0], command)  # noqa: S606


def hold(command: list[str], pipe: int) -> int:
    """Run the command as a child until it leaves, or until the pipe's other end is closed."""
    child = subprocess.Popen(command)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=kill_at_end_of, args=(pipe, child), daemon=True).start()
    return child.wait()


def kill_at_end_of(pipe: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until nobody holds the pipe's other end any more, then kill."""
    os.read(pipe, 1)
    child.kill()


def drop_privileges(uid: int) -> None:
    """Leave root, but keep the right to pass through folders, where the kernel allows that.

    A clone below /root is closed to every other user; opening root's home for all of them
    would be worse than one process that may search folders.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_KEEPCAPS, 1)
    # Without it access(2), which initdb asks whether it may run its siblings, sees no capability.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    kept = 1 << CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; the second three are for capabilities from 32 on.
    libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0))
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
