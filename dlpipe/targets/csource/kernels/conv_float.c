// Filters [out][kh][kw][channels / groups].
static void conv_float(const struct window *p, const float *x, const float *w, const float *bias, float low, float high,
                       int depth, float *y) {
  const int per_group = p->out_channels / (p->channels / depth);
  for (int oy = 0; oy < p->out_height; ++oy)
    for (int ox = 0; ox < p->out_width; ++ox)
      for (int oc = 0; oc < p->out_channels; ++oc) {
        float sum = bias[oc];
        const float *filter = w + (size_t)oc * p->kh * p->kw * depth;
        for (int ky = 0; ky < p->kh; ++ky) {
          const int iy = oy * p->stride_y - p->pad_y + ky * p->dilation_y;
          if (iy < 0 || iy >= p->height) continue;
          for (int kx = 0; kx < p->kw; ++kx) {
            const int ix = ox * p->stride_x - p->pad_x + kx * p->dilation_x;
            if (ix < 0 || ix >= p->width) continue;
            const float *a = x + ((size_t)iy * p->width + ix) * p->channels + oc / per_group * depth;
            const float *b = filter + (ky * p->kw + kx) * depth;
            for (int c = 0; c < depth; ++c) sum += a[c] * b[c];
          }
        }
        *y++ = sum < low ? low : sum > high ? high : sum;
      }
}
