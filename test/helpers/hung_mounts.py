# Mounts file systems whose requests are never answered, then becomes the program that follows `--`.
#   hung_mounts.py CONTROL MOUNTPOINT... -- PROGRAM ARGUMENT...
# A child holds the ends of /dev/fuse that would have to answer. It closes them, which breaks the mounts for good, when it can
# read a line from the FIFO named CONTROL.
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
control, *rest = sys.argv[1:]
mountpoints, command = rest[: rest.index("--")], rest[rest.index("--") + 1 :]


def mount(target):
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"hung", target.encode(), b"fuse", 0, options) != 0:
        sys.exit(f"mount {target}: {os.strerror(ctypes.get_errno())}")
    return fd


fds = [mount(target) for target in mountpoints]
if os.fork() == 0:
    os.setsid()
    with open(control) as fifo:
        fifo.readline()
    os._exit(0)
for fd in fds:
    os.close(fd)
os.execvp(command[0], command)
