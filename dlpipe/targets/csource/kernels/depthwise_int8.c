// Filters [kh][kw][channels * multiplier].
static void depthwise_int8(const struct window *p, const int8_t *x, const int8_t *w, const int32_t *bias,
                           const float *scale, int x_zero, int y_zero, int low, int high, int8_t *y) {
  const int multiplier = p->out_channels / p->channels;
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int oc = 0; oc < p->out_channels; ++oc) {
        int32_t sum = bias[oc];
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky * p->dilation_y;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx * p->dilation_x;
            if (ix < 0 || ix >= p->width) continue;
            sum += (x[((size_t)iy * p->width + ix) * p->channels + oc / multiplier] - x_zero) *
                   w[(ky * p->kw + kx) * p->out_channels + oc];
          }
        }
        *y++ = level((float)sum * scale[oc], y_zero, low, high);
      }
}
