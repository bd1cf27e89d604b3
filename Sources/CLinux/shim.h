#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* prctl is variadic, which Swift cannot call. */
static inline int sid_set_parent_death_signal(int signal_number) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0UL, 0UL, 0UL);
}

/* Flushes the file system that a descriptor lies on. Swift's Glibc does not declare it. */
static inline int sid_syncfs(int descriptor) { return syncfs(descriptor); }

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

/* Limits a resource of another process. Returns 0 or an error number. <sys/resource.h> cannot be included here: with
   _GNU_SOURCE its types differ from Swift's own import of the C library. */
static inline int sid_limit_resource(int process, int resource, unsigned long limit) {
  extern int prlimit64(int, int, const void *, void *);
  const unsigned long both[2] = {limit, limit};
  return prlimit64(process, resource, both, 0) == 0 ? 0 : errno;
}
