#pragma once
#include <mpi.h>
#include <string.h>

/* MPI's handles are macros and types that differ between its implementations, which Swift cannot import. Every function returns
   MPI's error code; once `sid_mpi_start` was called, errors return here in place of ending the process. */

typedef struct {
  MPI_Request request;
} sid_mpi_request;

typedef struct {
  MPI_Message message;
} sid_mpi_message;

/* Joins the ranks; calls from one thread only. */
static inline int sid_mpi_start(int *rank, int *size) {
  int provided = 0;
  int error = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  if (error != MPI_SUCCESS) return error;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  error = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  return error != MPI_SUCCESS ? error : MPI_Comm_size(MPI_COMM_WORLD, size);
}

static inline int sid_mpi_end(void) { return MPI_Finalize(); }

/* Begins to send words of four bytes, which must stay in their place until the request is done. */
static inline int sid_mpi_send(const void *words, int count, int rank, int tag, sid_mpi_request *request) {
  return MPI_Isend(words, count, MPI_UINT32_T, rank, tag, MPI_COMM_WORLD, &request->request);
}

/* Takes the next message of a rank out of the queue, if there is one; `count` is its length in words, or -1 for none. */
static inline int sid_mpi_look(int rank, int tag, sid_mpi_message *message, int *count) {
  int is_there = 0;
  MPI_Status status;
  *count = -1;
  int error = MPI_Improbe(rank, tag, MPI_COMM_WORLD, &is_there, &message->message, &status);
  return error == MPI_SUCCESS && is_there ? MPI_Get_count(&status, MPI_UINT32_T, count) : error;
}

/* Begins to receive a message that was taken, into a place that must stay until the request is done. */
static inline int sid_mpi_receive(void *words, int count, sid_mpi_message *message, sid_mpi_request *request) {
  return MPI_Imrecv(words, count, MPI_UINT32_T, &message->message, &request->request);
}

/* Whether a request is done; to be asked again until it is. */
static inline int sid_mpi_is_done(sid_mpi_request *request, int *is_done) {
  return MPI_Test(&request->request, is_done, MPI_STATUS_IGNORE);
}

/* What an error code means, ended by a zero. */
static inline void sid_mpi_error_text(int error, char *text, int capacity) {
  char full[MPI_MAX_ERROR_STRING];
  int length = 0;
  if (MPI_Error_string(error, full, &length) != MPI_SUCCESS) length = 0;
  full[length < MPI_MAX_ERROR_STRING ? length : MPI_MAX_ERROR_STRING - 1] = 0;
  strncpy(text, full, (size_t)capacity - 1);
  text[capacity - 1] = 0;
}
