#pragma once
#include <hdf5.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* libhdf5 can be made to crash or to loop by a damaged file. So a file of strangers is first read by a child process,
   which may. Everything in here is C: after fork, a child of a process with threads must not enter Swift. */

/* Reads one object with all of its attributes, and the index of a chunked data set. Errors are left to the real reading. */
static inline herr_t sid_h5_probe_attribute(hid_t object, const char *name, const H5A_info_t *info, void *limit) {
  (void)info;
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return 0;
  hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  hssize_t count = H5Sget_simple_extent_npoints(space);
  size_t size = H5Tget_size(type);
  if (count > 0 && size > 0 && (size_t)count <= *(size_t *)limit / size) {
    void *buffer = malloc((size_t)count * size);
    if (buffer && H5Aread(attribute, type, buffer) >= 0 && H5Tdetect_class(type, H5T_VLEN) <= 0 &&
        H5Tis_variable_str(type) > 0)
      H5Dvlen_reclaim(type, space, H5P_DEFAULT, buffer);
    free(buffer);
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
  return 0;
}

static inline void sid_h5_probe_dataset(hid_t dataset, size_t limit) {
  hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset), creation = H5Dget_create_plist(dataset);
  hsize_t stored = H5Dget_storage_size(dataset);
  H5Dget_offset(dataset);
  hssize_t count = H5Sget_simple_extent_npoints(space);
  size_t size = H5Tget_size(type);
  H5D_layout_t layout = H5Pget_layout(creation);
  if (layout == H5D_CHUNKED && stored > 0) {
    hsize_t chunks = 0;
    H5Dget_num_chunks(dataset, space, &chunks);
  }
  /* What lies there as it is needs no trial. */
  int is_plain = layout == H5D_CONTIGUOUS && H5Tis_variable_str(type) <= 0;
  if (!is_plain && layout != H5D_VIRTUAL && H5Pget_external_count(creation) <= 0 && count > 0 && size > 0 &&
      (size_t)count <= limit / size) {
    void *buffer = malloc((size_t)count * size);
    if (buffer && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0 && H5Tis_variable_str(type) > 0)
      H5Dvlen_reclaim(type, space, H5P_DEFAULT, buffer);
    free(buffer);
  }
  H5Pclose(creation);
  H5Sclose(space);
  H5Tclose(type);
}

static inline herr_t sid_h5_probe_link(hid_t group, const char *name, const H5L_info_t *unused, void *context) {
  (void)unused;
  (void)context;
  H5L_info_t link;
  H5O_info_t object;
  if (H5Lexists(group, name, H5P_DEFAULT) > 0 && H5Lget_info(group, name, &link, H5P_DEFAULT) >= 0 &&
      link.type == H5L_TYPE_HARD)
    H5Oget_info_by_name(group, name, &object, H5P_DEFAULT);
  return 0;
}

/* Follows the links in both orders. */
static inline void sid_h5_probe_group(hid_t group) {
  unsigned flags = 0;
  hid_t creation = H5Gget_create_plist(group);
  H5Pget_link_creation_order(creation, &flags);
  H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, sid_h5_probe_link, NULL);
  if (flags & H5P_CRT_ORDER_TRACKED)
    H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, NULL, sid_h5_probe_link, NULL);
  H5Pclose(creation);
}

static inline herr_t sid_h5_probe_object(hid_t root, const char *name, const H5O_info_t *info, void *limit) {
  hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  if (object < 0) return 0;
  if (info->type == H5O_TYPE_DATASET) sid_h5_probe_dataset(object, *(size_t *)limit);
  if (info->type == H5O_TYPE_GROUP) sid_h5_probe_group(object);
  hsize_t position = 0;
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &position, sid_h5_probe_attribute, limit);
  H5Oclose(object);
  return 0;
}

/* Lets a child process of at most `memory` bytes of address space and `seconds` of processor time read a file's structure.
   Returns 0 where that went through, the number of the signal that ended the child (SIGXCPU where its time was over, SIGKILL
   where somebody killed it), or -1 where none could be started. */
static inline int sid_h5_probe(const char *path, size_t memory, unsigned seconds) {
  const pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP};
    /* A terminal and a service manager send these to all processes of a group. The parent answers them; the death of this
       one would be taken for a fault of the file. */
    const int polite[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
    sigset_t none;
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
    for (unsigned i = 0; i < sizeof polite / sizeof *polite; i++) signal(polite[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL);
    if (getppid() != parent) _exit(0);
    struct rlimit space = {memory, memory}, core = {0, 0}, time = {seconds, seconds};
    setrlimit(RLIMIT_AS, &space);
    setrlimit(RLIMIT_CPU, &time);
    setrlimit(RLIMIT_CORE, &core);
    /* What reads beyond an allocation, or after it, is to meet no zeros. */
    mallopt(M_PERTURB, 0xA5);
    /* A complaint of the allocator is not for the user. */
    close(STDERR_FILENO);
    size_t limit = 1 << 26;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, 0, 1);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file >= 0) {
      H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, sid_h5_probe_object, &limit, H5O_INFO_BASIC);
      H5Fclose(file);
    }
    _exit(0);
  }
  int status = 0;
  struct rusage usage = {0};
  while (wait4(child, &status, 0, &usage) < 0)
    if (errno != EINTR) return -1;
  if (!WIFSIGNALED(status)) return 0;
  /* At the end of its time the kernel kills it. */
  const double used = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  if (WTERMSIG(status) == SIGKILL && used >= (double)seconds - 0.1) return SIGXCPU;
  return WTERMSIG(status);
}
