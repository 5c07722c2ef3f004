// Filters [out][kh][kw][channels / groups]; scale: of a sum in levels of the output, for each of its channels.
static void conv_int8(const struct window *p, const int8_t *x, const int8_t *w, const int32_t *bias, const float *scale,
                      int x_zero, int y_zero, int low, int high, int depth, int8_t *y) {
  const int per_group = p->out_channels / (p->channels / depth);
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int oc = 0; oc < p->out_channels; ++oc) {
        int32_t sum = bias[oc];
        const int8_t *filter = w + (size_t)oc * p->kh * p->kw * depth;
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky * p->dilation_y;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx * p->dilation_x;
            if (ix < 0 || ix >= p->width) continue;
            const int8_t *a = x + ((size_t)iy * p->width + ix) * p->channels + oc / per_group * depth;
            const int8_t *b = filter + (ky * p->kw + kx) * depth;
            for (int c = 0; c < depth; ++c) sum += (a[c] - x_zero) * b[c];
          }
        }
        *y++ = level((float)sum * scale[oc], y_zero, low, high);
      }
}
