// Filters [kh][kw][channels * multiplier].
static void depthwise_float(const struct window *p, const float *x, const float *w, const float *bias, float low,
                            float high, float *y) {
  const int multiplier = p->out_channels / p->channels;
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int oc = 0; oc < p->out_channels; ++oc) {
        float sum = bias[oc];
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky * p->dilation_y;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx * p->dilation_x;
            if (ix < 0 || ix >= p->width) continue;
            sum += x[((size_t)iy * p->width + ix) * p->channels + oc / multiplier] *
                   w[(ky * p->kw + kx) * p->out_channels + oc];
          }
        }
        *y++ = sum < low ? low : sum > high ? high : sum;
      }
}
