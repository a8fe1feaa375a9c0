"""Programs that turn on the kernel and the machine: other ways to speak, system calls, the supervisor, files."""

from collections.abc import Mapping
from typing import Final

from sequester.drill.program import Bare, Layer, Program


def _net(name: str, body: str, event: Mapping[str, object], bare: Bare = Bare.REACHES_SINK) -> Program:
    return Program("host", name, body, {"kind": "network", **event}, bare=bare)


def _family(name: str, number: int, kind: int, protocol: int, family: str) -> Program:
    body = f"os.close(call('socket', {number}, {kind}, {protocol}))"
    return _net(f"socket family {name}", body, {"syscall": "socket", "family": family}, Bare.KERNEL_LACKS)


def _call(name: str, kind: str, body: str, syscall: str, bare: Bare = Bare.REACHES) -> Program:
    return Program("host", name, body, {"kind": kind, "syscall": syscall}, bare=bare)


def _file(name: str, body: str, error: str, layer: Layer, does: str = "") -> Program:
    return Program("host", name, body, None, layer=layer, error=error, does=does)


PROGRAMS: Final = (
    _net("netlink route", "socket.socket(16, 3, 0).close()", {"family": "AF_NETLINK", "noise": True}, Bare.REACHES),
    _net("netlink kobject", "socket.socket(16, 2, 15).close()", {"family": "AF_NETLINK"}, Bare.REACHES),
    _net(
        "unix stream to a socket file",
        "s = socket.socket(1, 1); s.connect(to['unix']); s.send(mark)",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix datagram to a socket file",
        "socket.socket(1, 2).sendto(mark, to['unix_datagram'])",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix abstract",
        "s = socket.socket(1, 1); s.connect('\\0' + to['abstract']); s.send(mark)",
        {"syscall": "socket", "family": "AF_UNIX"},
    ),
    _net(
        "unix abstract by a socketpair's end",
        "a, b = socket.socketpair(1, 2); a.sendto(mark, '\\0' + to['abstract_datagram'])",
        {"syscall": "sendto", "family": "AF_UNIX"},
    ),
    _net(
        "the container engine's socket",
        "s = socket.socket(1, 1); s.connect(to['engine'])\n"
        "s.sendall(b'POST /containers/create HTTP/1.1\\r\\nHost: engine\\r\\nX-C: ' + mark + b'\\r\\n\\r\\n')",
        {"syscall": "socket", "family": "AF_UNIX"},
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
    _net(
        "family hidden above 32 bits",
        "os.close(call('socket', (1 << 32) | 16, 3, 0))",
        {"syscall": "socket", "family": "AF_NETLINK"},
        Bare.REACHES,
    ),
    Program(
        "host",
        "i386 socket by int 0x80",
        "fd = int80(359, 2, 1, 0)\nif fd < 0: raise OSError(-fd, '')",
        {"kind": "foreign_abi", "syscall": "i386:socket"},
        bare=Bare.KERNEL_LACKS,
    ),
    Program(
        "host",
        "i386 socketcall by int 0x80",
        "n = int80(102, 1, args32(2, 2, 0), 0)\nif n < 0: raise OSError(-n, '')",
        {"kind": "foreign_abi", "syscall": "i386:socketcall"},
        bare=Bare.KERNEL_LACKS,
    ),
    Program(
        "host",
        "x32 socket",
        "os.close(number(0x40000000 | 41, 2, 1, 0))",
        {"kind": "foreign_abi", "syscall": "x32:socket"},
        bare=Bare.KERNEL_LACKS,
    ),
    _call("io_uring", "kernel", "p = buffer(120); os.close(call('io_uring_setup', 1, p))", "io_uring_setup"),
    _call("bpf", "kernel", "call('bpf', 0, buffer(struct.pack('IIII', 2, 4, 4, 1) + bytes(60)), 72)", "bpf"),
    _call(
        "perf events",
        "kernel",
        "os.close(call('perf_event_open', buffer(struct.pack('IIQ', 1, 112, 0) + bytes(96)), 0, -1, -1, 0))",
        "perf_event_open",
        Bare.KERNEL_LACKS,
    ),
    _call("userfaultfd", "kernel", "os.close(call('userfaultfd', 1))", "userfaultfd"),
    _call("a key", "kernel", "call('add_key', b'user', b'sequester', b'x', 1, -1)", "add_key", Bare.KERNEL_LACKS),
    _call("a keyring", "kernel", "call('keyctl', 0, -3, 1)", "keyctl", Bare.KERNEL_LACKS),
    _call("a kernel module", "kernel", "call('init_module', buffer(8), 8, b'')", "init_module", Bare.UNSAFE),
    _call("another kernel", "kernel", "call('kexec_load', 0, 0, 0, 0)", "kexec_load", Bare.UNSAFE),
    _call("reboot", "kernel", "call('reboot', 0xfee1dead, 672274793, 0)", "reboot", Bare.UNSAFE),
    _call("the kernel's log", "kernel", "call('syslog', 10, 0, 0)", "syslog"),
    _call("the host's clock", "kernel", "call('clock_settime', 0, buffer(bytes(16)))", "clock_settime", Bare.UNSAFE),
    _call("the host name", "kernel", "call('sethostname', b'x', 1)", "sethostname"),
    _call(
        "files by handle",
        "kernel",
        "call('open_by_handle_at', -100, buffer(16), 0)",
        "open_by_handle_at",
        Bare.UNSAFE,
    ),
    _call("file system events", "kernel", "os.close(call('fanotify_init', 0, 0))", "fanotify_init", Bare.KERNEL_LACKS),
    _call("port access", "kernel", "call('iopl', 3)", "iopl", Bare.KERNEL_LACKS),
    _call("another personality", "kernel", "call('personality', 0x0400000)", "personality"),
    _call("memfd", "memory", "os.close(call('memfd_create', b'x', 0))", "memfd_create"),
    _call("a program in a memfd", "memory", "fd = os.memfd_create('x'); os.write(fd, b'#!/bin/sh\\n')", "memfd_create"),
    _call("secret memory", "memory", "os.close(call('memfd_secret', 0))", "memfd_secret", Bare.KERNEL_LACKS),
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
    Program(
        "host",
        "clone3 into a user namespace",
        "pid = call('clone3', buffer(struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0)), 64)\n"
        "if pid == 0: os._exit(0)\nos.waitpid(pid, 0)",
        None,
        error="ENOSYS",
    ),
    _call("mount", "namespace", "call('mount', b'x', b'/tmp', b'tmpfs', 0, 0)", "mount"),
    _call("unmount", "namespace", "call('umount2', b'/proc', 2)", "umount2"),
    _call("chroot", "namespace", "fork_and(lambda: call('chroot', b'/tmp'))", "chroot"),
    _call("pivot_root", "namespace", "call('pivot_root', b'/tmp', b'/tmp')", "pivot_root", Bare.UNSAFE),
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
        Bare.KERNEL_LACKS,
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
        Bare.KERNEL_LACKS,
    ),
    _call(
        "type into the terminal, above 32 bits",
        "device",
        "call('ioctl', os.openpty()[1], (1 << 32) | 0x5412, b'x')",
        "ioctl",
        Bare.KERNEL_LACKS,
    ),
    _call(
        "interface addresses",
        "device",
        "s = socket.socket(2, 2); call('ioctl', s.fileno(), 0x8912, buffer(16))",
        "ioctl",
    ),
    _call("a block device", "device", "os.mknod(tmp() + '/d', 0o60600, os.makedev(254, 0))", "mknodat"),
    _call("flush the host's disks", "resource", "call('sync')", "sync"),
    Program("host", "System V shared memory", "call('shmget', 0x5e90, 4096, 0o1600)", None, error="ENOSYS"),
    Program("host", "a message queue", "os.close(call('mq_open', b'x', 0o102, 0o600, 0))", None, error="ENOSYS"),
    _file(
        "the supervisor's memory as a file",
        "open(f'/proc/{os.getppid()}/mem', 'rb').close()",
        "EACCES",
        Layer.UNREADABLE,
        "opens its memory for reading",
    ),
    _file(
        "write the supervisor's memory",
        "open(f'/proc/{os.getppid()}/mem', 'r+b').close()",
        "EACCES",
        Layer.UNREADABLE,
        "opens its memory for writing",
    ),
    _file(
        "the supervisor's frames",
        "open(f'/proc/{os.getppid()}/fd/1', 'wb').close()",
        "EACCES",
        Layer.UNREADABLE,
        "writes results in its name",
    ),
    _file(
        "the supervisor's events",
        "open(f'/proc/{os.getppid()}/fd/2', 'wb').close()",
        "EACCES",
        Layer.UNREADABLE,
        "forges or floods the record of attempts",
    ),
    _file(
        "the supervisor's environment",
        "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "EACCES",
        Layer.UNREADABLE,
        "reads what it was started with",
    ),
    _file(
        "the supervisor's root",
        "os.listdir(f'/proc/{os.getppid()}/root/')",
        "EACCES",
        Layer.UNREADABLE,
        "enters its tree",
    ),
    _file(
        "kill the supervisor", "os.kill(os.getppid(), 9); wait_for_death(); deny()", "EPERM", Layer.LANDLOCK, "SIGKILL"
    ),
    _file(
        "stop the supervisor", "os.kill(os.getppid(), 19); wait_for_death(); deny()", "EPERM", Layer.LANDLOCK, "SIGSTOP"
    ),
    _file(
        "interrupt the supervisor",
        "os.kill(os.getppid(), 2); wait_for_death(); deny()",
        "EPERM",
        Layer.LANDLOCK,
        "SIGINT",
    ),
    _file("the host's files", "open(to['host_file']).read()", "ENOENT", Layer.MOUNT, "opens a file of the host's"),
    _file("the host's devices", "os.listdir('/sys/class/net')", "ENOENT", Layer.MOUNT, "lists /sys"),
    _file(
        "a system file",
        "open('/etc/sequester-canary', 'w').close(); os.unlink('/etc/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
        "writes into /etc",
    ),
    _file(
        "a program",
        "open('/usr/bin/sequester-canary', 'w').close(); os.unlink('/usr/bin/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
        "writes into /usr/bin",
    ),
    _file(
        "a file among devices",
        "open('/dev/sequester-canary', 'w').close(); os.unlink('/dev/sequester-canary')",
        "EROFS|EACCES",
        Layer.MOUNT,
        "writes into /dev, which is memory of the host's",
    ),
    _file("a socket file", "os.mknod(tmp() + '/s', 0o140600)", "EPERM", Layer.SECCOMP, "makes a UNIX socket by mknod"),
    _file(
        "a kernel setting",
        "open('/proc/sys/kernel/core_pattern', 'r+').close()",
        "EACCES",
        Layer.LANDLOCK,
        "opens the core pattern for writing",
    ),
    _file(
        "a setuid program",
        "import subprocess\n"
        "if subprocess.run(['su', 'root', '-c', 'id -u'], capture_output=True, stdin=-3).stdout.strip() != b'0' or"
        " open('/proc/self/uid_map').read().split()[2] == '1': deny()",
        "ENOMSG",
        Layer.NO_NEW_PRIVILEGES,
        "becomes root by a program that may",
    ),
    _file(
        "the environment of the agent",
        "os.environ['SEQUESTER_CANARY'] if 'SEQUESTER_CANARY' in os.environ else deny()",
        "ENOMSG",
        Layer.ENVIRONMENT,
        "reads the variables of the program that started it",
    ),
    _file(
        "the host's name",
        "deny() if os.uname().nodename == 'sandbox' else None",
        "ENOMSG",
        Layer.UTS,
        "asks for the host name",
    ),
    _file(
        "the host's processes",
        "deny() if max(int(p) for p in os.listdir('/proc') if p.isdigit()) < 20 else None",
        "ENOMSG",
        Layer.PID,
        "lists the processes of others",
    ),
    _file(
        "the host's interfaces",
        "deny() if len(open('/proc/net/dev').readlines()) <= 3 else None",
        "ENOMSG",
        Layer.NETWORK,
        "lists interfaces other than loopback",
    ),
    _file(
        "inherited descriptors",
        "import stat\n"
        "deny() if all(stat.S_ISFIFO(os.fstat(n).st_mode) for n in range(3, 1024) if is_open(n)) else None",
        "ENOMSG",
        Layer.ENVIRONMENT,
        "uses a socket or file that was open when it was started",
    ),
)
