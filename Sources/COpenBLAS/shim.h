#pragma once
#include <cblas.h>

/* LAPACK's Fortran symbols live in libopenblas; Debian ships no LAPACKE header with it. */
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
                    const int *lwork, int *iwork, const int *liwork, int *info);
