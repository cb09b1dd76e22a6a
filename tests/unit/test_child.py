"""A child process dies with us, however we die, and writes to a log of its own."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.services.child import TETHER, Child, Launch
from app.services.errors import StartError
from app.services.folder import FolderLock, holder
from app.services.ports import free_port, noted_port, remembered_port, why_not
from app.services.service import last_words
from app.services.tether import CAP_DAC_READ_SEARCH
from tests.client import SECONDS_MAX
from tests.processes import is_alive, wait_until_dead

PARENT = """
import os, sys, time
from pathlib import Path
from app.services.child import Child, Launch
child = Child(Launch([sys.executable, "-c", "import time; time.sleep(60)"]))
Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


def wait_for_text(file: Path) -> str:
    deadline = time.monotonic() + SECONDS_MAX
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return file.read_text()


def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", PARENT, note]) as parent:
        pid = int(wait_for_text(note))
        assert is_alive(pid)
        parent.kill()
    wait_until_dead(pid)


def test_a_child_dies_when_its_parents_end_of_the_pipe_is_closed(tmp_path: Path) -> None:
    """The way of systems whose kernel sends no signal at a parent's death."""
    note = tmp_path / "pid"
    script = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    read_end, write_end = os.pipe()
    words: list[str | Path] = [
        sys.executable,
        TETHER,
        str(read_end),
        "9",
        "-",
        "0",
        sys.executable,
        "-c",
        script,
    ]
    with subprocess.Popen(words, pass_fds=[read_end]) as tether:
        pid = int(wait_for_text(note))
        os.close(write_end)
        assert tether.wait(10) == 256 - signal.SIGKILL
    os.close(read_end)
    wait_until_dead(pid)


def test_a_childs_output_is_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child(Launch(["/bin/sh", "-c", "echo one; echo two >&2; echo; exit 3"], log=log))
    assert child.process.wait(10) == 3
    assert log.read_text() == "one\ntwo\n\n"
    assert last_words(log).startswith("two (see ")


def may_search_folders() -> bool:
    """Whether we are a root that has CAP_DAC_READ_SEARCH; in many containers root has not."""
    status = Path("/proc/self/status")
    found = re.search(r"CapEff:\s*(\w+)", status.read_text() if status.exists() else "")
    return os.geteuid() == 0 and bool(found and int(found[1], 16) & 1 << CAP_DAC_READ_SEARCH)


@pytest.mark.skipif(not may_search_folders(), reason="only a full root can hand this on")
def test_a_child_of_root_can_be_somebody_else_who_still_may_pass_through_folders(
    tmp_path: Path,
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed" / "file").write_text("found")
    log = tmp_path / "log"
    asks = f"import os; print(os.access('{tmp_path}/closed/file', os.R_OK))"
    script = f"""
    id -u; cat {tmp_path}/closed/file
    {sys.executable} -c "{asks}"; touch {tmp_path}/closed/new
    """
    child = Child(Launch(["/bin/sh", "-c", script], log=log, user=65534))
    assert child.process.wait(10) != 0
    assert log.read_text().startswith("65534\nfoundTrue\n")
    assert not (tmp_path / "closed" / "new").exists()


def test_a_folder_is_used_by_one_process_at_a_time(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = FolderLock.take(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(StartError, match=f"in use by process {os.getpid()}"):
        FolderLock.take(tmp_path)
    lock.release()
    FolderLock.take(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartError, match=r"cannot write to .*FAIRLINE_DATA_DIR"):
        FolderLock.take(tmp_path / "file" / "data")


def test_a_server_keeps_its_port_while_it_is_free(tmp_path: Path) -> None:
    port = remembered_port(tmp_path / "new")
    assert remembered_port(tmp_path / "new") == port
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {port})); input()"
    with subprocess.Popen([sys.executable, "-c", listen], stdin=subprocess.PIPE) as other:
        deadline = time.monotonic() + SECONDS_MAX
        while not why_not("127.0.0.1", port):
            assert time.monotonic() < deadline
        assert remembered_port(tmp_path / "new") != port
        other.kill()


@pytest.mark.parametrize("text", ["", "29", "x", "80"])
def test_half_a_note_of_a_port_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)
    assert noted_port(tmp_path) == 0
    assert noted_port(tmp_path / "new") == 0


def test_a_free_port_is_free() -> None:
    assert why_not("127.0.0.1", free_port()) == ""


def test_a_free_port_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was given the first one may not listen there yet."""
    first = free_port()
    drawn = iter((first, first))
    chance = random.randint
    monkeypatch.setattr(
        "app.services.ports.random.randint", lambda *range_: next(drawn, None) or chance(*range_)
    )
    assert free_port() != first
    assert free_port(first) == first
