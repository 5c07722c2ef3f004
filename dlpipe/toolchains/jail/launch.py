"""Set a cell up without bubblewrap, then be its init process. Standard library only; run by the host's own Python as

    python -I -S launch.py SPEC INFO

SPEC is a descriptor with the JSON that `namespaces.py` or `plain.py` wrote, INFO one to which the id of the process
that heads the cell is written as {"child-pid": N}, the way bubblewrap does. Its environment is the worker's.

- namespaces: new user, mount, process, network, ipc, uts and cgroup namespaces; a root of its own made of bind mounts.
- plain: nothing is hidden. It adopts what its descendants leave behind, so that all of them can be found and ended.

It exits as the worker did: its status, or 128 + the signal that ended it.
"""

# Importing pathlib costs more than all the rest of this program; the /tmp is the cell's own; to exec is the aim.
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH120, PTH123, PTH211, S108, S606

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

CLONE = {"mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000}
CLONE_PID, CLONE_NET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 32, 4096, 16384, 1 << 18
MS_RDONLY, MNT_DETACH = 1, 2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY_NOSUID_NODEV = 442, -100, 0x8000, 0x7
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind, data)]
    check(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def bind(source: str, target: str, writable: bool) -> None:
    """`source` with all that is mounted below it; read-only through mount_setattr(2), which alone covers all of that
    (and keeps the flags that an outer namespace has locked)."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    mount(source, target, None, MS_BIND | MS_REC)
    set_flags = MOUNT_ATTR_RDONLY_NOSUID_NODEV if not writable else MOUNT_ATTR_RDONLY_NOSUID_NODEV & ~MS_RDONLY
    attributes = struct.pack("=QQQQ", set_flags, 0, 0, 0)
    done = libc.syscall(
        ctypes.c_long(SYS_MOUNT_SETATTR), AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, len(attributes)
    )
    check(done, f"mount_setattr {target}")


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        flags = struct.unpack("16sh", fcntl.ioctl(probe, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def leave_the_host(spec: dict[str, Any]) -> None:
    """New namespaces; the user keeps all rights in them until the worker is executed, under an ordinary user id."""
    user, group = os.geteuid(), os.getegid()
    check(libc.unshare(sum(CLONE.values()) | CLONE_PID | CLONE_NET), "unshare")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{spec['user']} {user} 1")
    write("/proc/self/gid_map", f"{spec['user']} {group} 1")
    socket.sethostname("dlpipe")
    loopback_up()


def furnish(spec: dict[str, Any]) -> None:
    """Inside the new process namespace: build the root and step into it."""
    root, size = spec["root"], f"size={spec['scratch_bytes']}"
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m")
    for name in ("tmp", "proc", "dev", "dev/shm", "old"):
        os.mkdir(f"{root}/{name}")
    mount("tmpfs", f"{root}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, size)
    mount("tmpfs", f"{root}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, size)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for path in (*(f"/dev/{name}" for name in DEVICES), *spec["devices"]):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.close(os.open(root + path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        mount(path, root + path, None, MS_BIND)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    for text, inside in spec["links"]:
        os.symlink(text, root + inside)
    for outside, inside, writable in spec["mounts"]:
        bind(outside, root + inside, writable)
    os.chdir(root)
    check(libc.pivot_root(b".", b"old"), "pivot_root")
    os.chdir("/")
    check(libc.umount2(b"/old", MNT_DETACH), "umount")
    os.rmdir("/old")
    mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    write("/proc/sys/user/max_user_namespaces", "0")  # no way on to a namespace in which it would be root


def execute(spec: dict[str, Any]) -> None:
    os.chdir(spec["working"])
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.execv(spec["argv"][0], spec["argv"])


def fork_worker(spec: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        try:
            execute(spec)
        except OSError as error:
            sys.stderr.write(f"cannot start {spec['argv'][0]}: {error}\n")
        finally:
            os._exit(127)
    return child


def wait_for(child: int) -> int:
    """Reap whatever ends until `child` has; its status as a shell would say it."""
    while True:
        process, status = os.wait()
        if process == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def init_of_namespace(spec: dict[str, Any]) -> int:
    """Process 1 of the cell. When it ends, the kernel ends all that is left in there."""
    furnish(spec)
    # Nothing may be gained by executing a set-user-id program; the other rights end with the first execv.
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    return wait_for(fork_worker(spec))


def end_descendants() -> None:
    """Kill all that descends from this process: it adopts orphans, so its children's children end up here too."""
    here = f"/proc/self/task/{os.getpid()}/children"
    for _ in range(200):
        with open(here, encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        if not children:
            return
        for child in children:
            os.kill(child, signal.SIGKILL)
        for _ in children:
            os.wait()
        time.sleep(0.005)


def run_namespaces(spec: dict[str, Any], info: int) -> int:
    leave_the_host(spec)
    held, release = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(release)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.read(held, 1) != b"1":  # the parent is gone already
            os._exit(126)
        code = 126
        try:
            code = init_of_namespace(spec)
        except OSError as error:
            sys.stderr.write(f"jail: {error}\n")
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.write(info, json.dumps({"child-pid": child}).encode())
    os.close(info)
    os.write(release, b"1")
    return wait_for(child)


def run_plain(spec: dict[str, Any], info: int) -> int:
    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    code = 128 + signal.SIGKILL
    try:
        child = fork_worker(spec)
        os.write(info, json.dumps({"child-pid": os.getpid()}).encode())
        os.close(info)
        code = wait_for(child)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_descendants()
    return code


def main() -> int:
    with open(int(sys.argv[1]), "rb") as file:
        spec = json.load(file)
    info = int(sys.argv[2])
    os.set_inheritable(info, False)
    plain = spec["mode"] == "plain"
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM if plain else signal.SIGKILL, 0, 0, 0)
    if os.getppid() != spec["parent"]:
        return 126
    if plain:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return run_plain(spec, info)
    return run_namespaces(spec, info)


if __name__ == "__main__":
    sys.exit(main())
