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
