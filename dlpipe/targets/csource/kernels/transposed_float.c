// Filters [out][kh][kw][in]; windows begin at the first place and end at the last (no padding).
static void transposed_float(const struct window *p, const float *x, const float *w, const float *bias, float *y) {
  const int places = p->out_height * p->out_width;
  for (int i = 0; i < places; ++i)
    for (int oc = 0; oc < p->out_channels; ++oc) y[i * p->out_channels + oc] = bias ? bias[oc] : 0.0f;
  for (int iy = 0; iy < p->height; ++iy)
    for (int ix = 0; ix < p->width; ++ix, x += p->channels)
      for (int oc = 0; oc < p->out_channels; ++oc)
        for (int ky = 0; ky < p->kh; ++ky)
          for (int kx = 0; kx < p->kw; ++kx) {
            const float *filter = w + ((size_t)(oc * p->kh + ky) * p->kw + kx) * p->channels;
            float sum = 0.0f;
            for (int c = 0; c < p->channels; ++c) sum += x[c] * filter[c];
            y[((iy * p->stride_y + ky) * p->out_width + ix * p->stride_x + kx) * p->out_channels + oc] += sum;
          }
}
