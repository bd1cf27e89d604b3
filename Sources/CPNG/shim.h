#pragma once
#include <png.h>
#include <setjmp.h>
#include <string.h>

/* libpng reports errors by longjmp, which must not cross Swift frames: every call that can fail stays in here. */

/* What an image declares about itself, and the message where it cannot be read. */
typedef struct {
  unsigned width;
  unsigned height;
  int bit_depth;
  int color_type; /* 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha */
  int channels;   /* as they are decoded: 1 gray, 2 gray with alpha, 3 RGB, 4 RGB with alpha */
  char message[160];
} sid_png_header;

typedef struct {
  const unsigned char *data;
  size_t size;
  size_t position;
  sid_png_header *header;
} sid_png_source;

static inline void sid_png_take(png_structp png, png_bytep target, size_t count) {
  sid_png_source *source = (sid_png_source *)png_get_io_ptr(png);
  if (count > source->size - source->position) png_error(png, "the image ends early");
  memcpy(target, source->data + source->position, count);
  source->position += count;
}

static inline void sid_png_fail(png_structp png, png_const_charp message) {
  sid_png_header *header = (sid_png_header *)png_get_error_ptr(png);
  strncpy(header->message, message, sizeof header->message - 1);
  header->message[sizeof header->message - 1] = 0;
  png_longjmp(png, 1);
}

static inline void sid_png_ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

/* Reads the header, and where `pixels` is not NULL the rows, `row_bytes` each, `rows` of them: of 8-bit gray or RGB as they
   are stored, or with `expands` of any kind, made gray or RGB of 8 bits with or without alpha. Returns 1 on success; otherwise 0 and header->message. */
static inline int sid_png_decode(const unsigned char *data, size_t size, unsigned limit, int expands,
                                 sid_png_header *header, unsigned char *pixels, size_t row_bytes, unsigned rows) {
  sid_png_source source = {data, size, 0, header};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, header, sid_png_fail, sid_png_ignore);
  if (!png) {
    strcpy(header->message, "libpng cannot start");
    return 0;
  }
  png_infop info = NULL;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, NULL, NULL);
    return 0;
  }
  info = png_create_info_struct(png);
  if (!info) png_error(png, "out of memory");
  /* png owns nothing of info: it is destroyed on both paths below. */
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
  }
  png_set_user_limits(png, limit, limit);
  png_set_chunk_malloc_max(png, 1 << 23);
  png_set_chunk_cache_max(png, 64);
  png_set_read_fn(png, &source, sid_png_take);
  png_read_info(png, info);
  header->width = png_get_image_width(png, info);
  header->height = png_get_image_height(png, info);
  header->bit_depth = png_get_bit_depth(png, info);
  header->color_type = png_get_color_type(png, info);
  int passes = 1;
  if (expands) {
    png_set_expand(png); /* palettes, fewer than 8 bits, transparent colours */
    png_set_scale_16(png);
  }
  if (expands || pixels) {
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    header->channels = png_get_channels(png, info);
  }
  if (pixels) {
    if (png_get_rowbytes(png, info) != row_bytes || header->height != rows) png_error(png, "unexpected size");
    for (int pass = 0; pass < passes; pass++)
      for (unsigned row = 0; row < rows; row++) png_read_row(png, pixels + row * row_bytes, NULL);
    png_read_end(png, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return 1;
}

/* Writes 8-bit gray (channels 1) or RGB (channels 3) pixels, rows from the top, to a file.
   Returns 1 on success; otherwise 0 and the reason in message. */
static inline int sid_png_write(const char *path, const unsigned char *pixels, unsigned width, unsigned height,
                                int channels, char message[64]) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path, 0, pixels, 0, NULL)) return 1;
  strncpy(message, image.message, 63);
  message[63] = 0;
  png_image_free(&image);
  return 0;
}

/* The most bytes that a PNG of these pixels can take. */
static inline size_t sid_png_bound(unsigned width, unsigned height, int channels) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  return PNG_IMAGE_PNG_SIZE_MAX(image);
}

/* Encodes 8-bit gray or RGB pixels into `target` of `size` bytes, for speed rather than size.
   Returns the bytes of the PNG, or 0 and the reason in message. */
static inline size_t sid_png_encode(unsigned char *target, size_t size, const unsigned char *pixels, unsigned width,
                                    unsigned height, int channels, char message[64]) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  image.flags = PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t bytes = size;
  if (png_image_write_to_memory(&image, target, &bytes, 0, pixels, 0, NULL)) return bytes;
  strncpy(message, image.message, 63);
  message[63] = 0;
  png_image_free(&image);
  return 0;
}
