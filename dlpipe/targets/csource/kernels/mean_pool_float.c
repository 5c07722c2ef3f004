// Places beyond the image do not count.
static void mean_pool_float(const struct window *p, const float *x, float low, float high, float *y) {
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int c = 0; c < p->channels; ++c) {
        float sum = 0;
        int count = 0;
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx;
            if (ix < 0 || ix >= p->width) continue;
            sum += x[((size_t)iy * p->width + ix) * p->channels + c];
            ++count;
          }
        }
        const float mean = sum / (float)count;
        *y++ = (float)(mean < low ? low : mean > high ? high : mean);
      }
}
