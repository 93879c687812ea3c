/* seccomp filters from tables. */
#include "os/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/units.h"
#include "os/role.h"

#define CALL(name) SCMP_SYS(name)

/* Memory, waiting, descriptors one already has. */
static const int basic[] = {
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(pwrite64),
	CALL(preadv),
	CALL(pwritev),
	CALL(preadv2),
	CALL(pwritev2),
	CALL(close),
	CALL(close_range),
	CALL(fstat),
	CALL(lseek),
	CALL(mmap),
	CALL(mprotect),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(msync),
	CALL(mincore),
	CALL(brk),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(rt_sigpending),
	CALL(rt_sigtimedwait),
	CALL(sigaltstack),
	CALL(poll),
	CALL(ppoll),
	CALL(select),
	CALL(pselect6),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(epoll_pwait2),
	CALL(eventfd2),
	CALL(pipe2),
	CALL(dup),
	CALL(dup2),
	CALL(dup3),
	CALL(fcntl),
	CALL(getpid),
	CALL(getppid),
	CALL(gettid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getresuid),
	CALL(getresgid),
	CALL(getgroups),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(time),
	CALL(times),
	CALL(getrandom),
	CALL(exit),
	CALL(exit_group),
	CALL(futex),
	CALL(set_robust_list),
	CALL(get_robust_list),
	CALL(rseq),
	CALL(set_tid_address),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(getcpu),
	CALL(restart_syscall),
	CALL(sendmsg),
	CALL(recvmsg),
	CALL(sendto),
	CALL(recvfrom),
	CALL(shutdown),
	CALL(getsockopt),
	CALL(setsockopt),
	CALL(getsockname),
	CALL(getpeername),
	CALL(accept),
	CALL(accept4),
	CALL(getrlimit),
	CALL(getrusage),
	CALL(sysinfo),
	CALL(uname),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(timerfd_gettime),
	CALL(signalfd4),
	CALL(memfd_create),
	CALL(ftruncate),
	CALL(fsync),
	CALL(fdatasync),
	CALL(sync_file_range),
	CALL(fallocate),
	CALL(fadvise64),
	CALL(copy_file_range),
	CALL(sendfile),
	CALL(flock),
	CALL(membarrier),
	CALL(tgkill),
	CALL(fstatfs),
	CALL(arch_prctl),
	CALL(readahead),
	CALL(getpriority),
	CALL(setpriority),
	CALL(sched_setscheduler),
	CALL(ioprio_set),
	CALL(sched_getparam),
	CALL(sched_getscheduler),
};

static const int files[] = {
	CALL(openat),
	CALL(openat2),
	CALL(open),
	CALL(creat),
	CALL(newfstatat),
	CALL(stat),
	CALL(lstat),
	CALL(statx),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(readlink),
	CALL(readlinkat),
	CALL(getdents64),
	CALL(mkdir),
	CALL(mkdirat),
	CALL(unlink),
	CALL(unlinkat),
	CALL(rmdir),
	CALL(rename),
	CALL(renameat),
	CALL(renameat2),
	CALL(link),
	CALL(linkat),
	CALL(symlinkat),
	CALL(chmod),
	CALL(fchmod),
	CALL(fchmodat),
	CALL(chown),
	CALL(fchown),
	CALL(fchownat),
	CALL(lchown),
	CALL(utimensat),
	CALL(statfs),
	CALL(truncate),
	CALL(umask),
	CALL(getcwd),
	CALL(chdir),
	CALL(fchdir),
	CALL(getxattr),
	CALL(lgetxattr),
	CALL(fgetxattr),
	CALL(setxattr),
	CALL(lsetxattr),
	CALL(fsetxattr),
	CALL(listxattr),
	CALL(llistxattr),
	CALL(flistxattr),
	CALL(fremovexattr),
	CALL(inotify_init1),
	CALL(inotify_add_watch),
	CALL(inotify_rm_watch),
};

static const int network[] = { CALL(connect), CALL(bind), CALL(listen), CALL(sendmmsg), CALL(recvmmsg) };

/* Children of a role that forks confine themselves further. */
static const int children[] = {
	CALL(fork),
	CALL(vfork),
	CALL(wait4),
	CALL(waitid),
	CALL(kill),
	CALL(pidfd_open),
	CALL(pidfd_send_signal),
	CALL(setsid),
	CALL(setpgid),
	CALL(setrlimit),
	CALL(prlimit64),
	CALL(seccomp),
	CALL(landlock_create_ruleset),
	CALL(landlock_add_rule),
	CALL(landlock_restrict_self),
	CALL(prctl),
	CALL(unshare),
	CALL(capget),
	CALL(capset),
};

static const int threads[] = { CALL(sched_setaffinity), CALL(sched_getattr), CALL(sched_setattr) };

/* Nobody here makes these: whoever does was taken over. */
static const int forbidden[] = {
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(bpf),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(swapon),
	CALL(swapoff),
	CALL(reboot),
	CALL(acct),
	CALL(iopl),
	CALL(ioperm),
	CALL(userfaultfd),
	CALL(perf_event_open),
	CALL(add_key),
	CALL(keyctl),
	CALL(request_key),
	CALL(io_uring_setup),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(adjtimex),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(open_by_handle_at),
	CALL(quotactl),
};

/* Nor these, once a role has settled; on its way it may (os/reach.h). */
static const int forbidden_when_settled[] = {
	CALL(mount), CALL(umount2), CALL(pivot_root), CALL(move_mount), CALL(fsopen), CALL(fsmount), CALL(open_tree),
};

static const struct {
	unsigned need; /* 0: everybody */
	const int *calls;
	size_t count;
} groups[] = {
	{ 0, basic, COUNT_OF(basic) },
	{ ROLE_FILES, files, COUNT_OF(files) },
	{ ROLE_NETWORK, network, COUNT_OF(network) },
	{ ROLE_FORK, children, COUNT_OF(children) },
	{ ROLE_THREADS, threads, COUNT_OF(threads) },
};

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int code = seccomp_rule_add(filter, action, calls[i], 0);

		/* EDOM: a call that this architecture does not have. */
		if (code != 0 && code != -EDOM)
			return code;
	}
	return 0;
}

static int add_sockets(scmp_filter_ctx filter, unsigned needs)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

	for (size_t i = 0; code == 0 && (needs & ROLE_NETWORK) != 0 && i < COUNT_OF(families); i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(socket), 1,
					SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	return code;
}

/* clone() for a thread, or for a child without namespaces; glibc falls back
 * from clone3(), whose flags a filter cannot see, when it is told ENOSYS. */
static int add_clone(scmp_filter_ctx filter, unsigned needs)
{
	const scmp_datum_t namespaces =
	    CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);

	if (code == 0 && (needs & ROLE_FORK) != 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));
	else if (code == 0 && (needs & ROLE_THREADS) != 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return code;
}

/* Harmless uses of calls that can do much more. */
static int add_narrow(scmp_filter_ctx filter, unsigned needs)
{
	static const int ioctls[] = { 0x5401 /* TCGETS */, 0x541b /* FIONREAD */, 0x5421 /* FIONBIO */,
				      0x5413 /* TIOCGWINSZ */ };
	static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_PDEATHSIG,
				      0x53564d41 /* VMA */ };
	int code = 0;

	for (size_t i = 0; code == 0 && i < COUNT_OF(ioctls); i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(ioctl), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)ioctls[i]));
	for (size_t i = 0; code == 0 && (needs & ROLE_FORK) == 0 && i < COUNT_OF(prctls); i++)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(prctl), 1,
					SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)prctls[i]));
	if (code == 0 && (needs & ROLE_FORK) == 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
	/* fstat() of newer libraries. */
	if (code == 0 && (needs & ROLE_FILES) == 0)
		code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(newfstatat), 1,
					SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	return code;
}

static int fill_allow_list(scmp_filter_ctx filter, unsigned needs)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < COUNT_OF(groups); i++) {
		if (groups[i].need == 0 || (needs & groups[i].need) != 0)
			code = add_calls(filter, SCMP_ACT_ALLOW, groups[i].calls, groups[i].count);
	}
	if (code == 0)
		code = add_sockets(filter, needs);
	if (code == 0)
		code = add_clone(filter, needs);
	return code == 0 ? add_narrow(filter, needs) : code;
}

int syscalls_restrict(unsigned needs, struct err *err)
{
	bool supervisor = (needs & ROLE_EXECUTE) != 0;
	scmp_filter_ctx filter = seccomp_init(supervisor ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int code;

	if (filter == NULL)
		return err_set(err, ERR_MEMORY, "system call filter: no memory");
	code = add_calls(filter, SCMP_ACT_KILL_PROCESS, forbidden, COUNT_OF(forbidden));
	if (code == 0 && !supervisor)
		code =
		    add_calls(filter, SCMP_ACT_KILL_PROCESS, forbidden_when_settled, COUNT_OF(forbidden_when_settled));
	if (code == 0 && !supervisor)
		code = fill_allow_list(filter, needs);
	if (code == 0)
		code = seccomp_load(filter);
	seccomp_release(filter);
	return code == 0 ? 0 : err_errno(err, -code, "system call filter");
}
