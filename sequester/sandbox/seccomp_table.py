"""The one table of system calls: what sandboxed code may do, what is refused, what is seen, and why.

Filters, the OCI profile, the documentation and the tests are all made from it. First matching row wins.
"""

from dataclasses import dataclass
from enum import StrEnum

from sequester.sandbox.bpf import Test

EPERM, ENOSYS, EOPNOTSUPP = 1, 38, 95


class Action(StrEnum):
    ALLOW = "allow"
    OBSERVE = "observe"  # the supervisor is told, and lets it through
    NOTIFY = "notify"  # the supervisor is told, and refuses
    ERRNO = "errno"  # refused without a word: libc asks by habit and falls back


@dataclass(frozen=True)
class Row:
    """System calls decided alike. `kind` is the class of attempt in events; `when` are tests that must all hold."""

    calls: str
    action: Action
    why: str
    kind: str = ""
    when: tuple[Test, ...] = ()
    errno: int = EPERM


def _allow(calls: str, why: str, *when: Test) -> Row:
    return Row(calls, Action.ALLOW, why, when=when)


def _notify(kind: str, calls: str, why: str) -> Row:
    return Row(calls, Action.NOTIFY, why, kind)


def _errno(calls: str, why: str, errno: int) -> Row:
    return Row(calls, Action.ERRNO, why, errno=errno)


def _is(index: int, value: int) -> Test:
    return Test(index, value)


def _null(index: int) -> Test:
    return Test(index, 0, 0xFFFFFFFFFFFFFFFF)


AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 1, 2, 10, 16, 17
SOCK_TYPE_MASK, SOCK_STREAM, SOCK_DGRAM = 0xF, 1, 2
IPPROTO_TCP, IPPROTO_UDP = 6, 17
CLONE_NEW_MASK = 0x7E020000  # NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
MSG_NOSIGNAL, MSG_FASTOPEN = 0x4000, 0x20000000
FILE_TYPE_MASK, FILE_TYPE_FIFO, FILE_TYPE_REGULAR = 0o170000, 0o010000, 0o100000

SOCKETS = tuple(
    _allow(
        "socket",
        "INET streams and datagrams only: the connect or send that follows shows its address",
        _is(0, family),
        Test(1, kind, SOCK_TYPE_MASK),
        _is(2, protocol),
    )
    for family in (AF_INET, AF_INET6)
    for kind, protocols in ((SOCK_STREAM, (0, IPPROTO_TCP)), (SOCK_DGRAM, (0, IPPROTO_UDP)))
    for protocol in protocols
)

# What programs set before a connect that is refused, by level: none of it sends a packet or loads anything.
SOCKET_OPTIONS = {
    1: {
        "SO_REUSEADDR": 2,
        "SO_BROADCAST": 6,
        "SO_SNDBUF": 7,
        "SO_RCVBUF": 8,
        "SO_KEEPALIVE": 9,
        "SO_OOBINLINE": 10,
        "SO_LINGER": 13,
        "SO_REUSEPORT": 15,
        "SO_PASSCRED": 16,
        "SO_RCVLOWAT": 18,
        "SO_RCVTIMEO": 20,
        "SO_SNDTIMEO": 21,
        "SO_TIMESTAMP": 29,
    },
    IPPROTO_TCP: {
        "TCP_NODELAY": 1,
        "TCP_MAXSEG": 2,
        "TCP_CORK": 3,
        "TCP_KEEPIDLE": 4,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 6,
        "TCP_QUICKACK": 12,
        "TCP_USER_TIMEOUT": 18,
    },
    0: {"IP_TOS": 1, "IP_TTL": 2, "IP_RECVERR": 11},
    41: {"IPV6_RECVERR": 25, "IPV6_V6ONLY": 26},
}

# PR_SET_DUMPABLE is left out: a process that clears it blinds an unprivileged supervisor to its memory.
PRCTLS = {
    "PR_SET_PDEATHSIG": 1,
    "PR_GET_PDEATHSIG": 2,
    "PR_GET_DUMPABLE": 3,
    "PR_GET_KEEPCAPS": 7,
    "PR_SET_NAME": 15,
    "PR_GET_NAME": 16,
    "PR_GET_SECCOMP": 21,
    "PR_CAPBSET_READ": 23,
    "PR_GET_SECUREBITS": 27,
    "PR_SET_TIMERSLACK": 29,
    "PR_GET_TIMERSLACK": 30,
    "PR_SET_NO_NEW_PRIVS": 38,
    "PR_GET_NO_NEW_PRIVS": 39,
    "PR_GET_TID_ADDRESS": 40,
    "PR_SET_THP_DISABLE": 41,
    "PR_GET_THP_DISABLE": 42,
    "PR_GET_SPECULATION_CTRL": 52,
    "PR_SET_VMA": 0x53564D41,
}

# RLIMIT_CORE is left out and held at 1: at 0 a core_pattern that is a pipe still starts the host's handler (core(5)).
RLIMITS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}

# An exact list: "all but TIOCSTI" compares 64 bits in some loaders and 32 in the kernel.
IOCTLS = {
    "TCGETS": 0x5401,
    "TCSETS": 0x5402,
    "TCSETSW": 0x5403,
    "TCSETSF": 0x5404,
    "TCSBRK": 0x5409,
    "TCXONC": 0x540A,
    "TCFLSH": 0x540B,
    "TIOCSCTTY": 0x540E,
    "TIOCGPGRP": 0x540F,
    "TIOCSPGRP": 0x5410,
    "TIOCOUTQ": 0x5411,
    "TIOCGWINSZ": 0x5413,
    "TIOCSWINSZ": 0x5414,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "TIOCNOTTY": 0x5422,
    "TIOCGSID": 0x5429,
    "TIOCGPTN": 0x80045430,
    "TIOCSPTLCK": 0x40045431,
    "TIOCGPTPEER": 0x5441,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
    "FIOASYNC": 0x5452,
    "FICLONE": 0x40049409,
    "FS_IOC_GETFLAGS": 0x80086601,
}

DEFAULT: tuple[Row, ...] = (
    _allow(
        "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range dup dup2 dup3"
        " pipe pipe2 fcntl flock poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait"
        " epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime sendfile"
        " copy_file_range fallocate ftruncate truncate fsync fdatasync sync_file_range fadvise64 readahead",
        "descriptors: the sandbox holds none that leads out",
    ),
    _allow(
        "open openat openat2 creat stat fstat lstat newfstatat statx access faccessat faccessat2 getdents getdents64"
        " getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink"
        " symlinkat readlink readlinkat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask utime utimes"
        " utimensat futimesat statfs fstatfs getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr inotify_init"
        " inotify_init1 inotify_add_watch inotify_rm_watch",
        "files: the mount namespace and Landlock decide which",
    ),
    _allow(
        "brk mmap munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall membarrier"
        " mseal pkey_alloc pkey_free pkey_mprotect get_mempolicy",
        "memory: limits are cgroup's or rlimit's",
    ),
    _allow(
        "fork vfork exit exit_group wait4 waitid getpid getppid gettid getpgrp getpgid setpgid getsid setsid getuid"
        " geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid"
        " setgroups setfsuid setfsgid capget capset kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending"
        " rt_sigtimedwait rt_sigsuspend rt_sigreturn rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack pause"
        " restart_syscall pidfd_open pidfd_send_signal uname sysinfo getrandom getrlimit getrusage"
        " times getcpu",
        "processes: the PID namespace bounds them, one uid is mapped, and PID 1 takes no signal from inside",
    ),
    _allow(
        "futex futex_waitv set_robust_list get_robust_list rseq set_tid_address arch_prctl sched_yield"
        " sched_getaffinity sched_getparam sched_getscheduler sched_getattr sched_get_priority_max"
        " sched_get_priority_min sched_rr_get_interval getpriority ioprio_get",
        "threads",
    ),
    _allow(
        "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer setitimer timer_create"
        " timer_settime timer_gettime timer_getoverrun timer_delete",
        "time may be read, not set",
    ),
    _allow("clone", "new processes and threads, in the namespaces that they are in", Test(0, 0, CLONE_NEW_MASK)),
    _notify("namespace", "clone", "a new namespace brings capabilities, and with them the kernel's widest interfaces"),
    _errno("clone3", "its flags are in memory, out of a filter's sight: libc falls back to clone", ENOSYS),
    Row(
        "execve execveat",
        Action.OBSERVE,
        "seen, not decided: its path is in memory that others can change",
        "exec",
    ),
    *SOCKETS,
    _notify(
        "network",
        "socket",
        "no network namespace confines VSOCK or ALG, raw sockets forge",
    ),
    _allow("socketpair", "asyncio, multiprocessing: a pair inside the sandbox", _is(0, AF_UNIX)),
    _notify("network", "socketpair", "other families have no use here"),
    _allow(
        "sendto",
        "no address (a register says so), hence only to a socketpair: no inet socket is ever connected",
        _null(4),
        Test(3, 0, MSG_NOSIGNAL | MSG_FASTOPEN),
    ),
    _notify("network", "sendto", "with an address, or as libc's resolver sends its query: the name is read from it"),
    _notify("network", "connect bind listen accept accept4 sendmsg sendmmsg", "the address is seen and goes nowhere"),
    _allow("recvfrom recvmsg recvmmsg shutdown getsockname getpeername getsockopt", "nothing can arrive"),
    *(
        _allow("setsockopt", name, _is(1, level), _is(2, option))
        for level, options in SOCKET_OPTIONS.items()
        for name, option in options.items()
    ),
    _notify(
        "network", "setsockopt", "others: joining a group sends a packet, SO_ATTACH_* load programs, TCP_ULP modules"
    ),
    _notify(
        "trace",
        "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise process_mrelease",
        "reads, writes or takes from another process",
    ),
    *(_allow("prctl", name, _is(0, option)) for name, option in PRCTLS.items()),
    _notify("blind", "prctl", "PR_SET_DUMPABLE would hide the caller's memory"),
    *(_allow("ioctl", name, _is(1, request)) for name, request in IOCTLS.items()),
    _notify("device", "ioctl", "TIOCSTI types into a terminal, SIOC* speak to interfaces, drivers take the rest"),
    _allow("prlimit64", "asks for its own limits", _is(0, 0), _null(2)),
    *(_allow("prlimit64", f"its own {name}", _is(0, 0), _is(1, number)) for name, number in RLIMITS.items()),
    *(_allow("setrlimit", f"its own {name}", _is(0, number)) for name, number in RLIMITS.items()),
    _notify("resource", "setrlimit", "its own core limit: see RLIMITS"),
    *(
        _allow(call, "of the caller itself only", _is(0, 0))
        for call in ("sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr")
    ),
    *(
        _allow(call, "of the caller itself only", _is(0, which), _is(1, 0))
        for call, which in (("setpriority", 0), ("ioprio_set", 1))
    ),
    _notify(
        "supervisor",
        "prlimit64 sched_setaffinity sched_setparam sched_setscheduler sched_setattr setpriority ioprio_set",
        "of another process: the supervisor has the same uid",
    ),
    *(
        _allow(call, "FIFOs and regular files", Test(index, kind, FILE_TYPE_MASK))
        for call, index in (("mknod", 1), ("mknodat", 2))
        for kind in (0, FILE_TYPE_FIFO, FILE_TYPE_REGULAR)
    ),
    _notify("device", "mknod mknodat", "device nodes and socket files"),
    _allow("personality", "asks what it is", _is(0, 0xFFFFFFFF)),
    _allow("personality", "plain Linux", _is(0, 0)),
    _notify("kernel", "personality", "changes how addresses are laid out and calls are read"),
    _notify(
        "namespace",
        "unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick"
        " mount_setattr open_tree_attr statmount listmount",
        "namespaces and mounts are the walls",
    ),
    _notify("memory", "memfd_create memfd_secret", "files that no mount limits, and programs that no path names"),
    _notify(
        "kernel",
        "io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd keyctl add_key request_key"
        " init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct syslog"
        " name_to_handle_at open_by_handle_at fanotify_init fanotify_mark quotactl quotactl_fd iopl ioperm modify_ldt"
        " uselib ustat sysfs _sysctl vhangup uretprobe vmsplice",
        "wide kernel interfaces: io_uring does network calls that no filter sees, keyrings are shared by uid",
    ),
    _notify("kernel", "clock_settime settimeofday adjtimex clock_adjtime sethostname setdomainname", "the host's"),
    _notify("blind", "seccomp", "a further filter's refusal comes before the supervisor's and would hide it"),
    _notify("resource", "sync syncfs", "flushes the host's file systems"),
    _errno(
        "splice tee futex_wake futex_wait futex_requeue cachestat map_shadow_stack set_mempolicy mbind"
        " set_mempolicy_home_node migrate_pages move_pages remap_file_pages landlock_create_ruleset landlock_add_rule"
        " landlock_restrict_self lsm_get_self_attr lsm_set_self_attr lsm_list_modules shmget shmat shmctl shmdt semget"
        " semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify"
        " mq_getsetattr io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents set_thread_area"
        " get_thread_area file_getattr file_setattr",
        "not needed: callers take another way when told that it does not exist",
        ENOSYS,
    ),
    _errno(
        "setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr setxattrat getxattrat listxattrat"
        " removexattrat",
        "not carried by results; copying tools go on",
        EOPNOTSUPP,
    ),
)

# Computation on what is already loaded: no file is opened, no process made, no socket.
STRICT: tuple[Row, ...] = (
    _allow("read readv write writev lseek close fstat newfstatat", "the descriptors it was given"),
    _allow("brk mmap munmap mremap mprotect madvise", "memory"),
    _allow("futex sched_yield rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall", "the runtime"),
    _allow("clock_gettime clock_getres gettimeofday time getrandom getpid gettid getrusage", "time, itself"),
    _allow("exit exit_group", "the end"),
)

# What our own last steps in the child need, whatever a caller narrows to.
ESSENTIAL = frozenset(
    ["read", "write", "close", "exit", "exit_group", "rt_sigreturn", "mmap", "munmap", "brk", "futex", "fstat", "lseek"]
)

# What it takes to become a program that is linked to libraries, as nearly all are (ld.so(8)): measured one by one.
TO_START_A_PROGRAM = frozenset(["execve", "openat", "newfstatat", "pread64", "mprotect", "arch_prctl"])

# Classes of attempt that the supervisor in a pod reports: the runtime must let them through to its filter.
SEEN_IN_PODS = frozenset(["network", "trace", "exec"])

# What the supervisor does itself under the node's profile, and the families it reports. VSOCK, ALG and the like are not
# among them: no network namespace confines those, so there the runtime refuses too.
SUPERVISOR: tuple[Row, ...] = (
    _allow("seccomp prctl", "makes itself unreadable, loads the filter of the sandboxed code"),
    _allow("pidfd_getfd", "takes the filter's listener from its child"),
    _allow("prlimit64", "sets its child's limits"),
    _allow("landlock_create_ruleset landlock_add_rule landlock_restrict_self", "restricts its child's files"),
    _allow("ioctl", "answers notifications"),
    *(
        _allow("socket", "confined by the pod's network namespace; refused and reported there", _is(0, family))
        for family in (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET)
    ),
)
