"""Ways out that few lists have: options, passed descriptors, new mount calls, a process's own settings."""

from sandbox_techniques import TECHNIQUES, call_technique, file_technique, network_technique

from sequester.drill.program import Bare, Layer, Program

_V4 = {"address": "192.0.2.1", "family": "AF_INET"}


def _option(name: str, family: int, kind: int, level: int, option: int, value: str, bare: Bare) -> Program:
    body = f"{_FILTERS}socket.socket({family}, {kind}).setsockopt({level}, {option}, {value})"
    event = {"syscall": "setsockopt", "detail": f"level={level} option={option}"}
    return network_technique(name, body, event, bare)


def _prctl(name: str, option: int, rest: str, bare: Bare = Bare.KERNEL_LACKS) -> Program:
    body = f"{_FILTERS}fork_and(lambda: call('prctl', {option}, {rest}))"
    return Program("rare", name, body, {"kind": "blind", "syscall": "prctl"}, bare=bare)


def _absent(name: str, body: str, bare: Bare = Bare.REACHES) -> Program:
    """Answered as by a kernel that lacks it, without an event: libraries ask by habit."""
    return Program("rare", name, body, None, error="ENOSYS", bare=bare)


def _no_file(name: str, path: str) -> Program:
    body = f"os.close(os.open({path!r}, os.O_RDWR))"
    return file_technique(name, body, "ENOENT", Layer.MOUNT, Bare.KERNEL_LACKS)


# A filter that lets all through, as the kernel wants it: `filter_at` as an address, `filter_program` as bytes.
_FILTERS = """
kept = []
def filter_program(verdict=0xffff):
    kept.append(buffer(struct.pack('HBBI', 6, 0, 0, verdict)))
    return struct.pack('HxxxxxxP', 1, ctypes.addressof(kept[-1]))
def filter_at():
    kept.append(buffer(filter_program(0x7fff0000)))
    call('prctl', 38, 1, 0, 0, 0)
    return kept[-1]
"""
_CHILD = "pid = os.fork()\nif pid == 0: time.sleep(5); os._exit(0)"

RARE: tuple[Program, ...] = (
    network_technique(
        "UDP by sendmmsg",
        "s = socket.socket(2, 2)\n"
        "a = buffer(struct.pack('=HH4s8x', 2, socket.htons(to['port']), socket.inet_aton(to['v4'])))\n"
        "d = buffer(b'x' * 64); v = buffer(struct.pack('QQ', ctypes.addressof(d), 64))\n"
        "m = buffer(struct.pack('=QIIQQQQII8x', ctypes.addressof(a), 16, 0, ctypes.addressof(v), 1, 0, 0, 0, 0))\n"
        "call('sendmmsg', s.fileno(), m, 1, 0)",
        {"syscall": "sendmmsg", **_V4},
    ),
    network_technique(
        "TCP fast open by sendmsg",
        "s = socket.socket(); s.sendmsg([b'x' * 16], [], 0x20000000, (to['v4'], to['port']))",
        {"syscall": "sendmsg", **_V4},
    ),
    network_technique(
        "TCP fast open by option",
        "s = socket.socket(); s.setsockopt(6, 30, 1); s.connect((to['v4'], to['port'])); s.send(b'x' * 16)",
        {"syscall": "setsockopt", "detail": "level=6 option=30"},
    ),
    network_technique(
        "connect to no family",
        "s = socket.socket(2, 2); call('connect', s.fileno(), buffer(bytes(16)), 16)",
        {"syscall": "connect", "family": "AF_UNSPEC"},
        Bare.REACHES,
    ),
    network_technique(
        "connect with an address longer than any",
        "s = socket.socket(2, 2)\n"
        "a = buffer(struct.pack('=HH4s8x', 2, socket.htons(to['port']), socket.inet_aton(to['v4'])) + bytes(112))\n"
        "call('connect', s.fileno(), a, 128); s.send(b'x' * 8)",
        {"syscall": "connect", **_V4},
    ),
    network_technique(
        "a descriptor passed on",
        "a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [0])",
        {"syscall": "sendmsg"},
        Bare.REACHES,
    ),
    _option("a transparent socket", 2, 2, 0, 19, "1", Bare.REACHES),
    _option("a header of its own", 2, 2, 0, 3, "1", Bare.KERNEL_LACKS),
    _option("an IPv6 flow label", 10, 2, 41, 32, "bytes(32)", Bare.KERNEL_LACKS),
    _option("IPv6 hop options", 10, 2, 41, 54, "bytes(8)", Bare.KERNEL_LACKS),
    _option("bound to a device", 2, 2, 1, 25, "b'lo\\0'", Bare.REACHES),
    _option("a program on a socket", 2, 2, 1, 26, "filter_program()", Bare.REACHES),
    _option("a program for a port", 2, 2, 1, 51, "filter_program()", Bare.KERNEL_LACKS),
    _option("a protocol module on TCP", 2, 1, 6, 31, "b'tls'", Bare.KERNEL_LACKS),
    _option("another congestion control", 2, 1, 6, 13, "b'reno'", Bare.REACHES),
    _option("a repaired connection", 2, 1, 6, 19, "1", Bare.REACHES),
    _option("a multicast source", 2, 2, 0, 39, "bytes(12)", Bare.KERNEL_LACKS),
    network_technique("a pair of another family", "call('socketpair', 2, 1, 0, buffer(8))", {"syscall": "socketpair"},
        Bare.KERNEL_LACKS),
    _absent("bytes between pipes", "r, w = os.pipe(); r2, w2 = os.pipe(); os.write(w, b'x')\n"
        "call('splice', r, 0, w2, 0, 1, 0)"),
    _absent("bytes copied between pipes", "r, w = os.pipe(); r2, w2 = os.pipe(); os.write(w, b'x')\n"
        "call('tee', r, w2, 1, 0)"),
    call_technique("pages given to a pipe", "kernel", "r, w = os.pipe(); b = buffer(8)\n"
        "call('vmsplice', w, buffer(struct.pack('QQ', ctypes.addressof(b), 8)), 1, 0)", "vmsplice"),
    _absent("asynchronous input and output", "call('io_setup', 1, buffer(8))"),
    _absent("a System V semaphore", "call('semget', 0, 1, 0o1600)"),
    _absent("a System V queue", "call('msgget', 0, 0o1600)"),
    _absent("Landlock of its own", "call('landlock_create_ruleset', 0, 0, 1)"),
    _absent("memory policy", "call('set_mempolicy', 0, 0, 0)"),
    call_technique("the ring's registration", "kernel", "call('io_uring_register', 0, 0, 0, 0)", "io_uring_register",
        Bare.KERNEL_LACKS),
    call_technique("a mount's settings", "namespace",
        "call('mount_setattr', -100, b'/', 0, buffer(bytes(32)), 32)", "mount_setattr"),
    call_technique("a mount moved", "namespace", "call('move_mount', -100, b'/tmp', -100, b'/mnt', 0)", "move_mount",
        Bare.KERNEL_LACKS),
    call_technique("a mount picked", "namespace", "os.close(call('fspick', -100, b'/', 0))", "fspick",
        Bare.KERNEL_LACKS),
    call_technique("all mounts", "namespace",
        "call('listmount', buffer(struct.pack('IIQQ', 24, 0, 0xffffffffffffffff, 0)), buffer(8 * 64), 64, 0)",
        "listmount", Bare.KERNEL_LACKS),
    call_technique("a namespace of time", "namespace", "fork_and(lambda: call('unshare', 0x80))", "unshare"),
    call_technique("a namespace by a process's descriptor", "namespace",
        "call('setns', os.pidfd_open(os.getpid()), 0x40000000)", "setns"),
    call_technique("a handle of a file", "kernel",
        "call('name_to_handle_at', -100, b'/tmp', buffer(struct.pack('Ii', 128, 0) + bytes(128)), buffer(4), 0)",
        "name_to_handle_at"),
    call_technique("process accounting", "kernel", "call('acct', 0)", "acct", Bare.KERNEL_LACKS),
    call_technique("quotas", "kernel", "call('quotactl', 0x80000100 - (1 << 32), 0, 0, 0)", "quotactl",
        Bare.KERNEL_LACKS),
    call_technique("swap", "kernel", "call('swapon', b'/nonexistent', 0)", "swapon", Bare.UNSAFE),
    call_technique("a module from a file", "kernel", "call('finit_module', 0, b'', 0)", "finit_module", Bare.UNSAFE),
    call_technique("a kernel from a file", "kernel", "call('kexec_file_load', 0, 0, 0, b'', 0)", "kexec_file_load",
        Bare.UNSAFE),
    call_technique("the clock's pace", "kernel", "call('adjtimex', buffer(208))", "adjtimex"),
    call_technique("the pace of one clock", "kernel", "call('clock_adjtime', 0, buffer(208))", "clock_adjtime"),
    call_technique("the domain name", "kernel", "call('setdomainname', b'x', 1)", "setdomainname"),
    call_technique("ports", "kernel", "call('ioperm', 0x80, 1, 1)", "ioperm", Bare.KERNEL_LACKS),
    call_technique("segments", "kernel", "call('modify_ldt', 0, buffer(16), 16)", "modify_ldt", Bare.KERNEL_LACKS),
    call_technique("a 32-bit personality", "kernel", "call('personality', 8)", "personality"),
    call_technique("a library by the kernel", "kernel", "call('uselib', b'/nonexistent')", "uselib", Bare.UNSAFE),
    call_technique("hang up the terminal", "kernel", "call('vhangup')", "vhangup", Bare.UNSAFE),
    call_technique("another's advice", "trace",
        "b = mmap.mmap(-1, 4096); v = buffer(struct.pack('QQ', ctypes.addressof(ctypes.c_char.from_buffer(b)), 4096))\n"
        "call('process_madvise', os.pidfd_open(os.getpid()), v, 1, 20, 0)", "process_madvise"),
    call_technique("another's memory reaped", "trace", "call('process_mrelease', os.pidfd_open(os.getpid()), 0)",
        "process_mrelease", Bare.KERNEL_LACKS),
    call_technique("trace a child", "trace",
        f"{_CHILD}\ntry: call('ptrace', 16, pid, 0, 0)\nfinally: os.kill(pid, 9)", "ptrace"),
    call_technique("trace a child, seized", "trace",
        f"{_CHILD}\ntry: call('ptrace', 0x4206, pid, 0, 0)\nfinally: os.kill(pid, 9)", "ptrace"),
    _prctl("a filter by prctl", 22, "2, filter_at()", Bare.REACHES),
    _prctl("strict seccomp by prctl", 22, "9"),
    _prctl("a map of its own memory", 35, "14, buffer(8), 8"),
    _prctl("the supervisor as its tracer", 0x59616D61, "os.getppid()"),
    _prctl("parent of its orphans", 36, "1, 0, 0, 0", Bare.REACHES),
    _prctl("capabilities kept", 8, "1, 0, 0, 0", Bare.REACHES),
    _prctl("secure bits", 28, "0, 0, 0, 0", Bare.REACHES),
    _prctl("ambient capabilities", 47, "4, 0, 0, 0", Bare.REACHES),
    _prctl("system calls dispatched to itself", 59, "0, 0, 0, 0"),
    _prctl("the group for scheduling", 62, "0, 0, 0, buffer(8)"),
    call_technique("no core limit", "supervisor",
        "call('prlimit64', 0, 4, buffer(struct.pack('QQ', 0, 0)), 0)", "prlimit64"),
    call_technique("no core limit, the old way", "resource",
        "call('setrlimit', 4, buffer(struct.pack('QQ', 0, 0)))", "setrlimit"),
    call_technique("the console's keyboard", "device",
        "call('ioctl', os.openpty()[1], 0x541C, buffer(b'\\x0c'))", "ioctl", Bare.KERNEL_LACKS),
    call_technique("the console itself", "device", "call('ioctl', os.openpty()[1], 0x541D, 0)", "ioctl",
        Bare.KERNEL_LACKS),
    call_technique("a terminal's line discipline", "device",
        "call('ioctl', os.openpty()[1], 0x5423, buffer(struct.pack('i', 2)))", "ioctl", Bare.KERNEL_LACKS),
    call_technique("a file's flags", "device",
        "f = os.open(tmp() + '/f', os.O_CREAT | os.O_RDWR); call('ioctl', f, 0x40086602, buffer(8))", "ioctl",
        Bare.KERNEL_LACKS),
    call_technique("blocks of a file", "device",
        "f = os.open('/usr/bin/env', 0); call('ioctl', f, 0xC020660B, buffer(32))", "ioctl", Bare.KERNEL_LACKS),
    call_technique("a socket file by number", "device", "call('mknodat', -100, (tmp() + '/s').encode(), 0o140600, 0)",
        "mknodat"),
    file_technique("more than its limits", "call('prlimit64', 0, 7, buffer(struct.pack('QQ', 4096, 4096)), 0)",
        "EPERM", Layer.RIGHTS),
    file_technique("a higher priority", "os.setpriority(0, 0, -5)", "EACCES|EPERM", Layer.RIGHTS),
    file_technique("real time", "os.sched_setscheduler(0, 1, os.sched_param(1))", "EPERM", Layer.RIGHTS),
    file_technique("a deadline",
        "call('sched_setattr', 0, buffer(struct.pack('=IIQiIQQQ', 48, 6, 0, 0, 0, 10**7, 10**8, 10**8)), 0)",
        "EPERM", Layer.RIGHTS),
    file_technique("never killed for memory", "open('/proc/self/oom_score_adj', 'w').write('-1000')", "EACCES",
        Layer.LANDLOCK),
    file_technique("users of its own", "open('/proc/self/uid_map', 'w').write('0 0 1')", "EACCES|EPERM", Layer.LANDLOCK,
        Bare.KERNEL_LACKS),
    file_technique("the system's keys", "os.close(os.open('/proc/sysrq-trigger', os.O_WRONLY))", "EACCES|EROFS|ENOENT",
        Layer.LANDLOCK, Bare.KERNEL_LACKS),
    file_technique("the kernel's memory", "os.close(os.open('/proc/kcore', 0))", "EACCES|EPERM|ENOENT", Layer.RIGHTS,
        Bare.KERNEL_LACKS),
    file_technique("the kernel's messages", "os.close(os.open('/proc/kmsg', 0))", "EPERM|EACCES", Layer.RIGHTS,
        Bare.KERNEL_LACKS),
    file_technique("the supervisor's directory",
        "os.listdir(f'/proc/{os.getppid()}/cwd/')", "EACCES", Layer.UNREADABLE),
    file_technique("the supervisor's descriptors by number",
        "os.close(os.open(f'/proc/{os.getppid()}/fd/0', 0))", "EACCES", Layer.UNREADABLE, Bare.KERNEL_LACKS),
    file_technique("the supervisor's map", "open(f'/proc/{os.getppid()}/maps').read(1) or deny()", "EACCES",
        Layer.UNREADABLE),
    file_technique("the supervisor's place in line for a kill",
        "open(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('1000')", "EACCES", Layer.LANDLOCK),
    file_technique("a signal with a value", "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)\n"
        "wait_for_death(); deny()", "EPERM", Layer.LANDLOCK),
    file_technique("a parent's child", "pid = call('clone', 0x8000 | 17, 0, 0, 0, 0)\n"
        "if pid == 0:\n  try: os.kill(os.getppid(), 9)\n  finally: os._exit(0)\n"
        "wait_for_death(); deny()", "ENOMSG", Layer.PID),
    *(
        _no_file(f"the device {path.removeprefix('/dev/')}", path)
        for path in ("/dev/kvm", "/dev/net/tun", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/vhost-net",
            "/dev/vhost-vsock", "/dev/userfaultfd", "/dev/loop-control", "/dev/uinput", "/dev/vda", "/dev/console")
    ),
    file_technique("programs pinned in the kernel", "os.listdir('/sys/fs/bpf')", "ENOENT", Layer.MOUNT,
        Bare.KERNEL_LACKS),
    file_technique("cgroups", "os.listdir('/sys/fs/cgroup')", "ENOENT", Layer.MOUNT),
    file_technique("the resolver's addresses", "open('/etc/resolv.conf').read()", "ENOENT", Layer.MOUNT),
    file_technique("the host's users", "open('/etc/shadow').read()", "ENOENT", Layer.MOUNT),
    file_technique("the host's machine id", "os.listdir('/root')", "ENOENT", Layer.MOUNT),
)  # fmt: skip

ALL = (*TECHNIQUES, *RARE)
