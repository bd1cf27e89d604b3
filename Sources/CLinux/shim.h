#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* prctl is variadic, which Swift cannot call. */
static inline int sid_set_parent_death_signal(int signal_number) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0UL, 0UL, 0UL);
}

/* What tells a process that its parent is gone: a real-time signal, which nobody sends by habit. The C library keeps the first
   two for itself and says at run time where the rest begins; service managers use the next ones. */
static inline int sid_parent_death_signal(void) { return SIGRTMIN + 10; }

/* Hands over what was printed to stdout, a variable that Swift does not trust. Returns 0, or the error number where something
   of it could not be written, now or earlier. */
static inline int sid_flush_output(void) {
  int was_lost = ferror(stdout);
  errno = 0;
  if (fflush(stdout) == 0 && !was_lost) return 0;
  return errno != 0 ? errno : EIO;
}

/* Gives up the right to look into other processes, which root has: CAP_PERFMON and CAP_SYS_ADMIN let a process read the memory
   map and the environment of others past Landlock. Returns 0, or -1 and errno. */
static inline int sid_drop_tracing(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, sets) != 0) return -1;
  const int dropped[] = {CAP_SYS_PTRACE, CAP_SYS_ADMIN, 38 /* CAP_PERFMON, of Linux 5.8 */};
  unsigned int held = 0;
  for (int i = 0; i < 3; i++) {
    unsigned int bit = 1U << (dropped[i] & 31);
    struct __user_cap_data_struct *set = &sets[dropped[i] >> 5];
    held |= (set->effective | set->permitted | set->inheritable) & bit;
    set->effective &= ~bit;
    set->permitted &= ~bit;
    set->inheritable &= ~bit;
  }
  /* Who has neither need not be allowed to call it. */
  return held == 0 ? 0 : (int)syscall(SYS_capset, &header, sets);
}

/* Whether a signal is ignored. Its handler is a pointer that Swift cannot compare. */
static inline int sid_is_ignored(int signal_number) {
  struct sigaction action;
  return sigaction(signal_number, (const struct sigaction *)0, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Flushes the file system that a descriptor lies on. Swift's Glibc does not declare it. */
static inline int sid_syncfs(int descriptor) { return syncfs(descriptor); }

/* Makes two paths change places in one step. Returns 0, or -1 and errno: EINVAL where the file system cannot. renameat2 and
   its flag (RENAME_EXCHANGE) are declared for _GNU_SOURCE alone. */
static inline int sid_exchange(const char *first, const char *second) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, 1U << 1);
}

/* Processors this process may run on, or 0 where the kernel does not say. CPU_COUNT is a macro. */
static inline int sid_allowed_processors(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  return CPU_COUNT(&set);
}

/* Whether the processor and the operating system offer what kernels of an x86-64 level (3 or 4) are compiled for. */
static inline int sid_processor_supports_level(int level) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  if (level < 4) return 1;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  (void)level;
  return 1;
#endif
}

/* Names the calling thread; the first one's name is the process's. */
static inline void sid_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

/* Whether AMD made the processor. */
static inline int sid_processor_is_amd(void) {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") != 0;
#else
  return 0;
#endif
}

/* <spawn.h> declares these two for _GNU_SOURCE alone, which Swift's own import of the C library does not define, and it
   cannot be included here: its types would differ from that import's. `actions` is a posix_spawn_file_actions_t. */
static inline int sid_spawn_in_folder(void *actions, const char *folder) {
  extern int posix_spawn_file_actions_addchdir_np(void *, const char *);
  return posix_spawn_file_actions_addchdir_np(actions, folder);
}
static inline int sid_spawn_closing_from(void *actions, int first) {
  extern int posix_spawn_file_actions_addclosefrom_np(void *, int);
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

/* Whether somebody else has the file of this descriptor open: the kernel grants a write lease to the file's owner only where
   nobody has. It sends SIGIO to a holder whose file is opened. F_SETLEASE is declared for _GNU_SOURCE alone, and fcntl is variadic. */
static inline int sid_is_open_elsewhere(int descriptor) {
  if (fcntl(descriptor, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(descriptor, F_SETLEASE, F_UNLCK);
    return 0;
  }
  return errno == EAGAIN;
}

/* Whether anybody has the file of this descriptor, which is open for reading alone, open for writing: the kernel grants the
   file's owner a read lease only where nobody has. Returns 0 or 1, or -1 and errno where it does not say. */
static inline int sid_has_writer(int descriptor) {
  if (fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0) {
    fcntl(descriptor, F_SETLEASE, F_UNLCK);
    return 0;
  }
  return errno == EAGAIN ? 1 : -1;
}

/* When a file was made, in seconds since 1970, or -1 where the file system does not say. */
static inline long long sid_birth_seconds(const char *path) {
  struct statx status;
  if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status) != 0) return -1;
  return status.stx_mask & STATX_BTIME ? status.stx_btime.tv_sec : -1;
}

/* Limits a resource of another process. Returns 0 or an error number. <sys/resource.h> cannot be included here: with
   _GNU_SOURCE its types differ from Swift's own import of the C library. */
static inline int sid_limit_resource(int process, int resource, unsigned long limit) {
  extern int prlimit64(int, int, const void *, void *);
  const unsigned long both[2] = {limit, limit};
  return prlimit64(process, resource, both, 0) == 0 ? 0 : errno;
}

/* The version of the kernel's Landlock, or -1 where it has none. */
static inline int sid_landlock_version(void) {
  return (int)syscall(SYS_landlock_create_ruleset, (void *)0, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* What may be done with files, as Landlock names it: reading, or making and changing files and folders as well. Symbolic
   links, pipes, sockets and devices are not among it. */
static inline unsigned long long sid_landlock_rights(int version, int to_change) {
  const unsigned long long reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  const unsigned long long changing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER;
  /* Version 3 tells truncating apart; headers of Linux 6.1 do not name it. */
  return reading | (to_change ? changing | (version >= 3 ? 1ULL << 14 : 0) : 0);
}

/* Those of them that concern what is no folder. */
static inline unsigned long long sid_landlock_file_rights(void) {
  return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | 1ULL << 14;
}

/* Opens for looking at, not for reading; the C library defines it for _GNU_SOURCE alone. */
static inline int sid_path_only(void) { return O_PATH; }

/* A set of rules in which no file may be read, changed or executed, and, as far as the version has them, no TCP port be used,
   unless the network is allowed, and no process outside be signalled or reached by an abstract socket; or -1 and errno. Kernels that know less of the
   structure take it where what they do not know is zero. */
static inline int sid_landlock_create(int version, int allows_network) {
  const struct {
    unsigned long long files, network, scope;
  } rules = {
      .files = sid_landlock_rights(version, 1) | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
               LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
               LANDLOCK_ACCESS_FS_MAKE_SYM,
      .network = version >= 4 && !allows_network ? 3 : 0,
      .scope = version >= 6 ? 3 : 0,
  };
  return (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0U);
}

/* Allows `rights` for the file or the folder, with all beneath it, that a descriptor stands for. */
static inline int sid_landlock_allow(int rules, int descriptor, unsigned long long rights) {
  const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = descriptor};
  return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
}

/* Puts the calling thread, and all it starts from now on, under the rules for good. */
static inline int sid_landlock_enforce(int rules) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) return -1;
  return (int)syscall(SYS_landlock_restrict_self, rules, 0U);
}
