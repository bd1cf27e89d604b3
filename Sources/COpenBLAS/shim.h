#pragma once
#include <cblas.h>

/* LAPACK's Fortran symbols live in libopenblas; Debian ships no LAPACKE header with it. */
extern void dsyevd_2stage_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
                           double *work, const int *lwork, int *iwork, const int *liwork, int *info);
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
extern void dpstrf_(const char *uplo, const int *n, double *a, const int *lda, int *piv, int *rank, const double *tol,
                    double *work, int *info);
extern void dsygst_(const int *itype, const char *uplo, const int *n, double *a, const int *lda, const double *b,
                    const int *ldb, int *info);

#include <setjmp.h>
#include <signal.h>
#include <string.h>

/* Where a signal that a product raised leads back to. */
static inline sigjmp_buf *sid_openblas_escape(void) {
  static sigjmp_buf escape;
  return &escape;
}

static void sid_openblas_escaped(int signal) {
  (void)signal;
  siglongjmp(*sid_openblas_escape(), 1);
}

/* product = a b and the upper triangle of square = a a', row-major, with a [rows, depth] and b [depth, columns]. 0 where the
   library's code for this processor raised an illegal instruction or another fault. For a process that has no threads yet. */
static inline int sid_openblas_multiply(int rows, int columns, int depth, const double *a, const double *b,
                                        double *product, double *square) {
  static const int faults[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
  struct sigaction before[4], escape;
  memset(&escape, 0, sizeof escape);
  escape.sa_handler = sid_openblas_escaped;
  volatile int is_done = 0;
  if (sigsetjmp(*sid_openblas_escape(), 1) == 0) {
    for (int i = 0; i < 4; i++) sigaction(faults[i], &escape, &before[i]);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, columns, depth, 1, a, depth, b, columns, 0, product,
                columns);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, rows, depth, 1, a, depth, 0, square, rows);
    is_done = 1;
  }
  for (int i = 0; i < 4; i++) sigaction(faults[i], &before[i], 0);
  return is_done;
}
