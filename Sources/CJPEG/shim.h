#pragma once
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* libjpeg ends an error by a call that must not return, here a longjmp, which must not cross Swift frames: every call that
   can fail stays in here. */

/* What an image declares about itself, and the message where it cannot be read. */
typedef struct {
  unsigned width;
  unsigned height;
  int channels; /* 1 gray, 3 RGB, 4 CMYK, as it is decoded */
  int is_progressive;
  char message[JMSG_LENGTH_MAX];
} sid_jpeg_header;

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  char *message;
} sid_jpeg_errors;

typedef struct {
  struct jpeg_source_mgr base;
  int has_ended; /* whether more was asked for than there is */
} sid_jpeg_source;

typedef struct {
  struct jpeg_progress_mgr base;
  int scan_limit;
} sid_jpeg_progress;

static inline void sid_jpeg_fail(j_common_ptr info) {
  sid_jpeg_errors *errors = (sid_jpeg_errors *)info->err;
  errors->base.format_message(info, errors->message);
  longjmp(errors->escape, 1);
}

/* A warning is damage that the library paints over; these few are none. */
static inline void sid_jpeg_warn(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA: /* cameras fill up to sectors */
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
      return;
    default: sid_jpeg_fail(info);
  }
}

static inline void sid_jpeg_silence(j_common_ptr info) { (void)info; }
static inline void sid_jpeg_nothing(j_decompress_ptr info) { (void)info; }

/* Asked for more than there is, the library gets the end of an image: where rows are lacking, it warns. */
static inline boolean sid_jpeg_fill(j_decompress_ptr info) {
  static const JOCTET end[2] = {0xFF, JPEG_EOI};
  sid_jpeg_source *source = (sid_jpeg_source *)info->src;
  source->has_ended = 1;
  source->base.next_input_byte = end;
  source->base.bytes_in_buffer = 2;
  return TRUE;
}

static inline void sid_jpeg_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if ((size_t)count > info->src->bytes_in_buffer) {
    sid_jpeg_fill(info);
    return;
  }
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= (size_t)count;
}

/* Every scan of a progressive image goes over all of it: many of them are an attack. */
static inline void sid_jpeg_count_scans(j_common_ptr common) {
  j_decompress_ptr info = (j_decompress_ptr)common;
  sid_jpeg_progress *progress = (sid_jpeg_progress *)common->progress;
  if (info->input_scan_number <= progress->scan_limit) return;
  sid_jpeg_errors *errors = (sid_jpeg_errors *)common->err;
  snprintf(errors->message, JMSG_LENGTH_MAX, "more than %d scans", progress->scan_limit);
  longjmp(errors->escape, 1);
}

/* Reads the header, and where `pixels` is not NULL the rows, width * channels bytes each, of the declared size that
   `header` holds from a call before. Returns 1 on success; otherwise 0 and header->message. */
static inline int sid_jpeg_decode(const unsigned char *data, size_t size, int scan_limit, sid_jpeg_header *header,
                                  unsigned char *pixels) {
  struct jpeg_decompress_struct info;
  sid_jpeg_errors errors;
  sid_jpeg_source source;
  sid_jpeg_progress progress;
  memset(&source, 0, sizeof source);
  memset(&progress, 0, sizeof progress);
  header->message[0] = 0;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = sid_jpeg_fail;
  errors.base.emit_message = sid_jpeg_warn;
  errors.base.output_message = sid_jpeg_silence;
  errors.message = header->message;
  if (setjmp(errors.escape)) {
    jpeg_destroy_decompress(&info);
    return 0;
  }
  /* What is destroyed after a failure of the next call. */
  info.mem = NULL;
  jpeg_create_decompress(&info);
  source.base.next_input_byte = data;
  source.base.bytes_in_buffer = size;
  source.base.init_source = sid_jpeg_nothing;
  source.base.fill_input_buffer = sid_jpeg_fill;
  source.base.skip_input_data = sid_jpeg_skip;
  source.base.resync_to_restart = jpeg_resync_to_restart;
  source.base.term_source = sid_jpeg_nothing;
  info.src = &source.base;
  progress.base.progress_monitor = sid_jpeg_count_scans;
  progress.scan_limit = scan_limit;
  info.progress = &progress.base;
  jpeg_read_header(&info, TRUE);
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE: info.out_color_space = JCS_GRAYSCALE; break;
    case JCS_RGB:
    case JCS_YCbCr: info.out_color_space = JCS_RGB; break;
    case JCS_CMYK:
    case JCS_YCCK: info.out_color_space = JCS_CMYK; break;
    default:
      snprintf(header->message, sizeof header->message, "%d components of no known colour", info.num_components);
      longjmp(errors.escape, 1);
  }
  int channels = info.out_color_space == JCS_GRAYSCALE ? 1 : info.out_color_space == JCS_RGB ? 3 : 4;
  if (pixels) {
    if (info.image_width != header->width || info.image_height != header->height || channels != header->channels) {
      snprintf(header->message, sizeof header->message, "unexpected size");
      longjmp(errors.escape, 1);
    }
    jpeg_start_decompress(&info);
    size_t row_bytes = (size_t)header->width * (size_t)channels;
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels + info.output_scanline * row_bytes;
      jpeg_read_scanlines(&info, &row, 1);
    }
    /* Scans that are not there leave no gap behind. */
    if (source.has_ended && jpeg_has_multiple_scans(&info)) {
      snprintf(header->message, sizeof header->message, "the image ends early");
      longjmp(errors.escape, 1);
    }
  }
  header->width = info.image_width;
  header->height = info.image_height;
  header->channels = channels;
  header->is_progressive = info.progressive_mode;
  jpeg_destroy_decompress(&info);
  return 1;
}
