# Serves files by FUSE as lxcfs does, then becomes the program that follows `--`.
#   fuse_files.py SPEC CONTROL -- PROGRAM ARGUMENT...
# SPEC is JSON: {"mount": FOLDER, "files": {PATH: {"text": ..., "delayS": ..., "endless": ...}}, "bind": {PATH: TARGET}}.
# A file with a delay answers each read so late; an endless one gives a byte at each read, for ever. What is bound stands at TARGET
# too. The words `stop` and `go` on the FIFO named CONTROL stop the daemon with SIGSTOP and let it go on.
# The structures are those of include/uapi/linux/fuse.h.
import ctypes
import errno
import json
import os
import signal
import stat
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
spec, control = json.loads(sys.argv[1]), sys.argv[2]
command = sys.argv[sys.argv.index("--") + 1 :]
MS_BIND = 4096
FOPEN_DIRECT_IO = 1
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH = 1, 2, 3, 14, 15, 17, 18, 25
INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 26, 27, 28, 29, 36, 42

paths = [""]
for path in spec["files"]:
    parts = path.split("/")
    for i in range(1, len(parts) + 1):
        if "/".join(parts[:i]) not in paths:
            paths.append("/".join(parts[:i]))


def mount(source, target, kind, flags, options):
    if libc.mount(source.encode(), target.encode(), kind, flags, options) != 0:
        sys.exit(f"mount {target}: {os.strerror(ctypes.get_errno())}")


def attributes(node):
    file = spec["files"].get(paths[node - 1])
    mode = stat.S_IFDIR | 0o755 if file is None else stat.S_IFREG | 0o444
    size = 0 if file is None else len(file.get("text", ""))
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def read(node, offset, size):
    file = spec["files"][paths[node - 1]]
    time.sleep(file.get("delayS", 0))
    if file.get("endless"):
        return b"1"
    return file["text"].encode()[offset : offset + size]


def entries(node, offset):
    if offset > 0:
        return b""
    found = b""
    here = paths[node - 1]
    for i, path in enumerate(paths):
        if i == 0 or os.path.dirname(path) != here:
            continue
        name = os.path.basename(path).encode()
        entry = struct.pack("<QQII", i + 1, i + 1, len(name), 0) + name
        found += entry + b"\0" * (-len(entry) % 8)
    return found


def answer(opcode, node, body):
    if opcode == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, *([0] * 8))
    if opcode == LOOKUP:
        path = "/".join(filter(None, [paths[node - 1], body.rstrip(b"\0").decode()]))
        if path not in paths:
            raise OSError(errno.ENOENT, path)
        child = paths.index(path) + 1
        return struct.pack("<4Q2I", child, 0, 0, 0, 0, 0) + attributes(child)
    if opcode == GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<Q2I", 1, FOPEN_DIRECT_IO if opcode == OPEN else 0, 0)
    if opcode == READ:
        _, offset, size = struct.unpack_from("<QQI", body)
        return read(node, offset, size)
    if opcode == READDIR:
        return entries(node, struct.unpack_from("<QQ", body)[1])
    if opcode == STATFS:
        return struct.pack("<5Q4I6I", 8, 4, 3, 2, 1, 512, 255, 512, 0, *([0] * 6))
    if opcode in (RELEASE, RELEASEDIR, FLUSH):
        return b""
    raise OSError(errno.ENOSYS, "")


def serve(fd):
    def handle(opcode, unique, node, body):
        try:
            found, error = answer(opcode, node, body), 0
        except OSError as refused:
            found, error = b"", -refused.errno
        try:
            os.write(fd, struct.pack("<IiQ", 16 + len(found), error, unique) + found)
        except OSError:
            pass  # The one who asked has gone.

    while True:
        try:
            request = os.read(fd, 1 << 20)
        except OSError:
            os._exit(0)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            threading.Thread(target=handle, args=(opcode, unique, node, request[40:])).start()


fd = os.open("/dev/fuse", os.O_RDWR)
mount("lxcfs", spec["mount"], b"fuse.lxcfs", 0, f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode())
daemon = os.fork()
if daemon == 0:
    os.setsid()
    serve(fd)
os.close(fd)
for path, target in spec.get("bind", {}).items():
    mount(os.path.join(spec["mount"], path), target, None, MS_BIND, None)
if os.fork() == 0:
    os.setsid()
    while True:
        with open(control) as fifo:
            for word in fifo.read().split():
                os.kill(daemon, signal.SIGSTOP if word == "stop" else signal.SIGCONT)
os.execvp(command[0], command)
