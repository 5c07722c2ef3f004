// Weights [out][in]. step: 0 where one scale is that of all.
static void connected_int8(int rows, int in, int out, const int8_t *x, const int8_t *w, const int32_t *bias,
                           const float *scale, int step, int x_zero, int y_zero, int low, int high, int8_t *y) {
  for (int r = 0; r < rows; ++r, x += in)
    for (int o = 0; o < out; ++o) {
      int32_t sum = bias[o];
      const int8_t *b = w + (size_t)o * in;
      for (int i = 0; i < in; ++i) sum += (x[i] - x_zero) * b[i];
      *y++ = level((float)sum * scale[o * step], y_zero, low, high);
    }
}
