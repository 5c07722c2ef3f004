static void max_pool_int8(const struct window *p, const int8_t *x, int8_t low, int8_t high, int8_t *y) {
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int c = 0; c < p->channels; ++c) {
        int8_t most = low;
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx;
            if (ix < 0 || ix >= p->width) continue;
            const int8_t value = x[((size_t)iy * p->width + ix) * p->channels + c];
            if (value > most) most = value;
          }
        }
        *y++ = most > high ? high : most;
      }
}
