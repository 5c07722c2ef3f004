/* A picture into this model's input, for C99 and C++: what preprocess.py does with Pillow 13, to the same bits.

     static PREPROCESS_TYPE input[PREPROCESS_SIZE];
     if (preprocess(pixels, height, width, channels, input) != 0) ...

   pixels: 8 bits each, rows from the top, [height][width][channels]; channels is 3 (red first) or 1 (grey).
   input:  @layout@, of @type@.
   Returns 0; 1: the picture cannot be made to fit; 2: there is no memory. Link with -lm. */
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PREPROCESS_TYPE @type@
#define PREPROCESS_CHANNELS @channels@
#define PREPROCESS_HEIGHT @height@
#define PREPROCESS_WIDTH @width@
#define PREPROCESS_SIZE (PREPROCESS_CHANNELS * PREPROCESS_HEIGHT * PREPROCESS_WIDTH)

/* This model's own steps. */
enum {
  preprocess_channels_last = @channels_last@, /* of the input; else they come first */
  preprocess_grey = @grey@,                   /* colours go */
  preprocess_bgr = @bgr@,                     /* blue first */
  preprocess_to_height = @to_height@,         /* resized to; 0: not at all */
  preprocess_to_width = @to_width@,
  preprocess_cover = @cover@,                 /* no smaller than that, proportions kept; else the very size */
  preprocess_crop = @crop@,                   /* the middle is cut out; else it is the input's size by now */
  preprocess_nearest = @nearest@,             /* resized by taking pixels, not by weighing them */
  preprocess_quantised = @quantised@,         /* the input counts steps of preprocess_step */
  preprocess_whole = @whole@,                 /* the input is of whole numbers, @least@ to @most@ */
  preprocess_least = @least@,
  preprocess_most = @most@
};
static const float preprocess_scale = @scale@;
static const float preprocess_mean[PREPROCESS_CHANNELS] = {@mean@};
static const float preprocess_std[PREPROCESS_CHANNELS] = {@std@};
static const float preprocess_step = @step@, preprocess_zero_point = @zero_point@;
static const double preprocess_reach = @reach@; /* of the filter, in pixels of the larger picture */

/* The weight of a pixel at a distance x: @filter@. */
static double preprocess_weight(double x) {
@weight@
}

/* x * scale, (x - mean) / std, each rounded to a float: `volatile` keeps compilers from fusing them. */
static PREPROCESS_TYPE preprocess_value(unsigned char byte, int channel) {
  volatile float value = (float)byte * preprocess_scale;
  value = value - preprocess_mean[channel];
  value = value / preprocess_std[channel];
  if (preprocess_quantised) {
    value = value / preprocess_step;
    value = value + preprocess_zero_point;
  }
  if (preprocess_whole) {
    value = rintf(value);
    if (value < preprocess_least) value = preprocess_least;
    if (value > preprocess_most) value = preprocess_most;
  }
  return (PREPROCESS_TYPE)value;
}

/* One axis, resized as Pillow does it: weights of 22 binary places, sums rounded to a byte. The axis lies between
   `outer` and `inner` further ones. Returns 0, or 2 where there is no memory. */
static int preprocess_along(const unsigned char *from, unsigned char *to, int outer, int size, int wanted, int inner) {
  const double ratio = (double)size / wanted, stretch = ratio < 1.0 ? 1.0 : ratio;
  const double reach = preprocess_reach * stretch;
  const int most = (int)ceil(reach) * 2 + 1;
  double *weights = (double *)malloc((size_t)most * sizeof *weights);
  long *fixed = (long *)malloc((size_t)most * sizeof *fixed);
  double position = 0.5 * ratio;
  int place, row, column, each;
  if (!weights || !fixed) {
    free(weights);
    free(fixed);
    return 2;
  }
  for (place = 0; place < wanted; ++place, position += ratio) {
    const double centre = (place + 0.5) * ratio;
    int first = (int)(centre - reach + 0.5), last = (int)(centre + reach + 0.5);
    double total = 0.0;
    first = first < 0 ? 0 : first;
    last = last > size ? size : last;
    if (preprocess_nearest) {
      first = (int)position;
      last = first + 1;
    }
    for (each = 0; each < last - first; ++each) {
      weights[each] = preprocess_nearest ? 1.0 : preprocess_weight((each + first - centre + 0.5) * (1.0 / stretch));
      total += weights[each];
    }
    for (each = 0; each < last - first; ++each) {
      const double share = (total != 0.0 ? weights[each] / total : weights[each]) * (1L << 22);
      fixed[each] = (long)(share < 0.0 ? share - 0.5 : share + 0.5);
    }
    for (row = 0; row < outer; ++row)
      for (column = 0; column < inner; ++column) {
        long sum = 1L << 21;
        for (each = 0; each < last - first; ++each)
          sum += fixed[each] * from[((size_t)row * size + first + each) * inner + column];
        to[((size_t)row * wanted + place) * inner + column] =
            (unsigned char)(sum < 0 ? 0 : sum >= 256L << 22 ? 255 : sum >> 22);
      }
  }
  free(weights);
  free(fixed);
  return 0;
}

/* `picture` of [height][width][channels] gives way to one of another size. The height goes first where it shrinks by
   much more than the width: so does Pillow 13, and roundings depend on the order. Returns 0, or 2. */
static int preprocess_resize(unsigned char **picture, int height, int width, int channels, int to_height, int to_width) {
  const int height_first = to_height < height && height - to_height > 2 * (width - to_width);
  int step;
  for (step = 0; step < 2; ++step) {
    const int vertical = (step == 0) == height_first;
    const int rows = vertical ? to_height : height, columns = vertical ? width : to_width;
    unsigned char *made;
    int status;
    if (rows == height && columns == width) continue;
    made = (unsigned char *)malloc((size_t)rows * columns * channels);
    if (!made) return 2;
    status = vertical ? preprocess_along(*picture, made, 1, height, rows, width * channels)
                      : preprocess_along(*picture, made, height, width, columns, channels);
    free(*picture);
    *picture = made;
    if (status) return status;
    height = rows;
    width = columns;
  }
  return 0;
}

static int preprocess(const unsigned char *pixels, int height, int width, int channels, PREPROCESS_TYPE *input) {
  const int grey = preprocess_grey || PREPROCESS_CHANNELS == 1 || channels == 1, kept = grey ? 1 : 3;
  const size_t count = (size_t)height * width;
  int to_height = preprocess_to_height, to_width = preprocess_to_width, top, left, y, x, c;
  unsigned char *picture;
  size_t each;
  if (height < 1 || width < 1 || (channels != 1 && channels != 3)) return 1;
  picture = (unsigned char *)malloc(count * kept);
  if (!picture) return 2;
  for (each = 0; each < count; ++each) {
    const unsigned char *pixel = pixels + each * channels;
    if (grey && channels == 3) /* ITU-R 601-2, as Pillow has it */
      picture[each] = (unsigned char)((pixel[0] * 19595L + pixel[1] * 38470L + pixel[2] * 7471L + 0x8000) >> 16);
    else
      memcpy(picture + each * kept, pixel, (size_t)kept);
  }
  if (preprocess_cover && to_height) {
    const double up = (double)to_height / height, across = (double)to_width / width, by = up > across ? up : across;
    const int tall = (int)rint(height * by), broad = (int)rint(width * by);
    to_height = tall > to_height ? tall : to_height;
    to_width = broad > to_width ? broad : to_width;
  }
  if (to_height) {
    if (preprocess_resize(&picture, height, width, kept, to_height, to_width)) {
      free(picture);
      return 2;
    }
    height = to_height;
    width = to_width;
  }
  if (height < PREPROCESS_HEIGHT || width < PREPROCESS_WIDTH ||
      (!preprocess_crop && (height != PREPROCESS_HEIGHT || width != PREPROCESS_WIDTH))) {
    free(picture);
    return 1;
  }
  top = (height - PREPROCESS_HEIGHT) / 2;
  left = (width - PREPROCESS_WIDTH) / 2;
  for (y = 0; y < PREPROCESS_HEIGHT; ++y)
    for (x = 0; x < PREPROCESS_WIDTH; ++x)
      for (c = 0; c < PREPROCESS_CHANNELS; ++c) {
        const int from = kept == 1 ? 0 : preprocess_bgr ? 2 - c : c;
        const unsigned char byte = picture[((size_t)(y + top) * width + x + left) * kept + from];
        const size_t place = preprocess_channels_last ? ((size_t)y * PREPROCESS_WIDTH + x) * PREPROCESS_CHANNELS + c
                                                      : ((size_t)c * PREPROCESS_HEIGHT + y) * PREPROCESS_WIDTH + x;
        input[place] = preprocess_value(byte, c);
      }
  free(picture);
  return 0;
}

#endif
